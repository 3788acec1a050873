#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "common/types/row_pacer.h"
#include "worker/kernels/aggregate_set.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// What a HashAggregateNode says, checked.
struct AggregatePlan {
  enum class Phase { kSingle, kPartial, kFinal };
  enum class Emit { kAtEnd, kChanges, kOnWindowClose };

  std::vector<int> keys;
  std::vector<SqlType> key_types;
  std::vector<AggregateCall> calls;
  std::vector<std::vector<SqlType>> arg_types;
  // Of the input's columns.
  std::vector<SqlType> input_types;
  Phase phase = Phase::kSingle;
  Emit emit = Emit::kAtEnd;
  // PARTIAL only: the input is unbounded.
  bool streaming = false;
  // The input takes rows back.
  bool changing = false;
  // Position among the keys.
  std::optional<int> window_end_key;

  static absl::StatusOr<AggregatePlan> From(const v1::PlanNode& node);
  absl::StatusOr<std::unique_ptr<AggregateSet>> MakeAggregates() const;
  // How many of `num_groups` groups, held in `bytes`, to give out at once.
  RowPacer PaceOfResults(int64_t num_groups, int64_t bytes) const;
};

}  // namespace millrace
