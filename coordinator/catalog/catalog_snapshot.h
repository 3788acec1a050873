#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace millrace {

namespace v1 {
class CatalogObject;
enum ObjectKind : int;
}  // namespace v1

using CatalogObjectPtr = std::shared_ptr<const v1::CatalogObject>;

// The catalog at one moment: what a statement is bound against. Immutable and thread-safe;
// statements share it as shared_ptr<const CatalogSnapshot>. Names are those of the definition,
// folded to lower case unless they were quoted. The system views are part of it, as SOURCEs with
// connector "system", under their whole names ("millrace.jobs").
class CatalogSnapshot {
 public:
  // `objects`: every object that statements can name. `revision`: what the store was at; grows with
  // every change.
  CatalogSnapshot(std::vector<CatalogObjectPtr> objects, uint64_t revision);

  // Null if there is no such object. Objects that are being created or dropped are left out.
  CatalogObjectPtr Find(absl::string_view name) const;
  CatalogObjectPtr FindById(uint64_t object_id) const;
  // The name that is most like `name`, for hints; empty if none is close.
  std::string NearestName(absl::string_view name) const;
  // By name; system views are left out.
  std::vector<CatalogObjectPtr> List(v1::ObjectKind kind) const;
  std::vector<CatalogObjectPtr> ListAll() const;
  // The objects whose definition reads `object_id`, by name.
  std::vector<CatalogObjectPtr> DependentsOf(uint64_t object_id) const;

  uint64_t revision() const { return revision_; }

 private:
  std::map<std::string, CatalogObjectPtr, std::less<>> by_name_;
  std::map<uint64_t, CatalogObjectPtr> by_id_;
  uint64_t revision_;
};

// The definitions of millrace.* views. They have no data of their own: the statement executor fills
// in their rows.
std::vector<CatalogObjectPtr> SystemViews();
// What a scan of a system view has as connector.
inline constexpr char kSystemConnector[] = "system";

}  // namespace millrace
