#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// What a GroupTopNNode says, checked.
struct GroupTopNPlan {
  Schema input;
  std::vector<SqlType> types;
  std::vector<int> partition_keys;
  std::vector<SortKey> order_keys;
  uint64_t limit = 0;
  // The row number is the last column of the output.
  bool with_number = false;
  // The output changes: the input is unbounded.
  bool streaming = false;

  static absl::StatusOr<GroupTopNPlan> From(const v1::PlanNode& node);
};

}  // namespace millrace
