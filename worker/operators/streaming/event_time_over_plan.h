#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// A frame that ends at the current row (or its last peer) or before.
struct OverFrameSpec {
  // By rows; else by event time, where distance 0 means the peers of the row.
  bool by_rows = false;
  // Distance of the first row in rows or microseconds; absent = the partition's first row.
  std::optional<int64_t> start;
  // Distance of the last row.
  int64_t end = 0;
};

struct OverCallPlan {
  // Set: an aggregate over the frame; its columns are positions in
  // EventTimeOverPlan::history_columns.
  std::optional<AggregateCall> aggregate;
  // Else the name of a ranking function and its arguments, positions as above.
  std::string ranking;
  std::vector<int> args;
  std::vector<SqlType> arg_types;
  OverFrameSpec frame;
  SqlType type;
};

// What an OverNode over unbounded input says, checked.
struct EventTimeOverPlan {
  Schema input;
  std::vector<int> partition_keys;
  std::vector<SortKey> order_keys;
  // Column of order_keys[0].
  int time_column = 0;
  std::vector<OverCallPlan> calls;
  // Input columns that calls look at, which is what is kept of rows that were given out.
  std::vector<int> history_columns;
  // How far back frames reach. Rows / microseconds; −1: none by time.
  int64_t history_rows = 0;
  int64_t history_micros = -1;
  // Input columns that tell how many rows lag() looks back.
  std::vector<int> lag_offsets;

  static absl::StatusOr<EventTimeOverPlan> From(const v1::PlanNode& node);

  std::vector<SqlType> input_types() const;
};

}  // namespace millrace
