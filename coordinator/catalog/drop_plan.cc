#include "coordinator/catalog/drop_plan.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// Depth first, so that what depends on an object stands before it. The catalog has no cycles: an
// object depends on older ones.
void Visit(const CatalogSnapshot& snapshot, uint64_t object_id, std::set<uint64_t>& seen,
           std::vector<CatalogObjectPtr>& order) {
  if (!seen.insert(object_id).second) return;
  CatalogObjectPtr object = snapshot.FindById(object_id);
  if (object == nullptr) return;
  for (const CatalogObjectPtr& dependent : snapshot.DependentsOf(object_id)) {
    Visit(snapshot, dependent->id(), seen, order);
  }
  order.push_back(std::move(object));
}

}  // namespace

std::string DescribeObject(const v1::CatalogObject& object) {
  switch (object.kind()) {
    case v1::OBJECT_KIND_VIEW:
      return absl::StrCat("view ", object.name());
    case v1::OBJECT_KIND_MATERIALIZED_VIEW:
      return absl::StrCat("materialized view ", object.name());
    default:
      return absl::StrCat("table ", object.name());
  }
}

absl::StatusOr<std::vector<CatalogObjectPtr>> PlanDrop(const CatalogSnapshot& snapshot,
                                                       const std::vector<uint64_t>& object_ids,
                                                       DropBehavior behavior) {
  std::set<uint64_t> seen;
  std::vector<CatalogObjectPtr> order;
  for (uint64_t id : object_ids) Visit(snapshot, id, seen, order);
  if (behavior == DropBehavior::kCascade) return order;
  const std::set<uint64_t> named(object_ids.begin(), object_ids.end());
  for (uint64_t id : object_ids) {
    const CatalogObjectPtr object = snapshot.FindById(id);
    if (object == nullptr) continue;
    std::vector<CatalogObjectPtr> left_over = snapshot.DependentsOf(id);
    std::erase_if(left_over, [&named](const CatalogObjectPtr& dependent) {
      return named.contains(dependent->id());
    });
    if (!left_over.empty()) return DependencyError(*object, left_over);
  }
  return order;
}

absl::Status DependencyError(const v1::CatalogObject& object,
                             const std::vector<CatalogObjectPtr>& dependents) {
  std::vector<std::string> names;
  for (const CatalogObjectPtr& dependent : dependents) names.push_back(DescribeObject(*dependent));
  return MakeError(
      SqlState::kDependentObjects,
      absl::StrCat("cannot drop ", DescribeObject(object), " because ", absl::StrJoin(names, ", "),
                   names.size() == 1 ? " depends on it" : " depend on it"),
      "Use DROP ... CASCADE to drop the dependent objects too.");
}

}  // namespace millrace
