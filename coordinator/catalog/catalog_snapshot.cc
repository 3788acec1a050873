#include "coordinator/catalog/catalog_snapshot.h"

#include <algorithm>
#include <utility>

#include "common/base/nearest_name.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

CatalogSnapshot::CatalogSnapshot(std::vector<CatalogObjectPtr> objects, uint64_t revision)
    : revision_(revision) {
  for (CatalogObjectPtr& object : objects) {
    by_id_[object->id()] = object;
    if (object->state() == v1::OBJECT_STATE_READY) by_name_[object->name()] = std::move(object);
  }
}

CatalogObjectPtr CatalogSnapshot::Find(absl::string_view name) const {
  auto it = by_name_.find(std::string(name));
  return it == by_name_.end() ? nullptr : it->second;
}

CatalogObjectPtr CatalogSnapshot::FindById(uint64_t object_id) const {
  auto it = by_id_.find(object_id);
  return it == by_id_.end() ? nullptr : it->second;
}

std::string CatalogSnapshot::NearestName(absl::string_view name) const {
  std::vector<std::string> names;
  names.reserve(by_name_.size());
  for (const auto& entry : by_name_) names.push_back(entry.first);
  return millrace::NearestName(name, names);
}

std::vector<CatalogObjectPtr> CatalogSnapshot::List(v1::ObjectKind kind) const {
  std::vector<CatalogObjectPtr> found = ListAll();
  std::erase_if(found, [kind](const CatalogObjectPtr& object) { return object->kind() != kind; });
  return found;
}

std::vector<CatalogObjectPtr> CatalogSnapshot::ListAll() const {
  std::vector<CatalogObjectPtr> found;
  for (const auto& [name, object] : by_name_) {
    if (object->connector() != kSystemConnector) found.push_back(object);
  }
  return found;
}

std::vector<CatalogObjectPtr> CatalogSnapshot::DependentsOf(uint64_t object_id) const {
  std::vector<CatalogObjectPtr> found;
  for (const auto& [id, object] : by_id_) {
    if (std::count(object->depends_on().begin(), object->depends_on().end(), object_id) > 0) {
      found.push_back(object);
    }
  }
  std::sort(found.begin(), found.end(), [](const CatalogObjectPtr& a, const CatalogObjectPtr& b) {
    return a->name() < b->name();
  });
  return found;
}

}  // namespace millrace
