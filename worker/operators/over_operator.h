#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/sort_buffer.h"
#include "worker/operators/bounded_operator.h"
#include "worker/operators/over_plan.h"
#include "worker/operators/sort_key_reader.h"

namespace millrace {

// Functions over windows of a bounded input: the rows are put in order of partition and order keys
// (ties by the whole row, I10) and come out in that order with one more column for each call.
class OverOperator final : public BoundedOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;

 private:
  explicit OverOperator(OverPlan plan)
      : BoundedOperator("window functions"),
        plan_(std::move(plan)),
        buffer_(plan_.types, TieBreak::kWholeRow, SortBuffer::KeyUse::kKeep) {}

  // Evaluates the calls for the next partitions, about a batch of rows together, into results_.
  absl::Status EvaluateNextPartitions();
  // Accounts for what the partitions in work have beside the buffer, unless it is little.
  absl::Status HoldWithResults(int64_t bytes);

  const OverPlan plan_;
  std::unique_ptr<SortKeyReader> reader_;
  SortBuffer buffer_;
  absl::Span<const uint32_t> order_;
  uint32_t next_row_ = 0;
  // What the calls gave for the rows of the order from next_out_ on, which are still to be given
  // out. Partitions may be long, so the other columns of their rows are copied then.
  Batch results_;
  uint32_t next_out_ = 0;
};

}  // namespace millrace
