#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "worker/kernels/window_call.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// What an OverNode says, checked.
struct OverPlan {
  Schema input;
  std::vector<SqlType> types;
  std::vector<int> partition_keys;
  std::vector<SortKey> order_keys;
  std::vector<WindowCall> calls;
  bool event_time = false;

  static absl::StatusOr<OverPlan> From(const v1::PlanNode& node);
};

}  // namespace millrace
