#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/catalog/catalog_snapshot.h"

namespace millrace {

enum class DropBehavior : uint8_t { kRestrict, kCascade };

// The objects that go when `object_ids` are dropped together, dependents before what they depend
// on. kRestrict: 2BP01, naming the dependents that would be left over, with CASCADE as hint.
// Unknown ids are left out.
absl::StatusOr<std::vector<CatalogObjectPtr>> PlanDrop(const CatalogSnapshot& snapshot,
                                                       const std::vector<uint64_t>& object_ids,
                                                       DropBehavior behavior);

// 2BP01: `object` cannot be dropped because of these.
absl::Status DependencyError(const v1::CatalogObject& object,
                             const std::vector<CatalogObjectPtr>& dependents);

// What messages call an object: "materialized view per_minute".
std::string DescribeObject(const v1::CatalogObject& object);

}  // namespace millrace
