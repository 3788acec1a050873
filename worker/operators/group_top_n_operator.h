#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/sort_buffer.h"
#include "worker/operators/bounded_operator.h"
#include "worker/operators/group_top_n_plan.h"
#include "worker/operators/sort_key_reader.h"

namespace millrace {

// The first n rows of each partition of a bounded input; ties are broken by the whole row (I10).
// Rows that cannot be among them any more are thrown away from time to time.
class GroupTopNOperator final : public BoundedOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;

 private:
  explicit GroupTopNOperator(GroupTopNPlan plan)
      : BoundedOperator("top-n of each group"),
        plan_(std::move(plan)),
        buffer_(plan_.types, TieBreak::kWholeRow, SortBuffer::KeyUse::kKeep) {}

  // Sorts, and keeps the first rows of each partition.
  void Prune();

  const GroupTopNPlan plan_;
  std::unique_ptr<SortKeyReader> reader_;
  SortBuffer buffer_;
  // Rows at which the buffer is pruned next.
  uint32_t prune_rows_ = 1 << 17;
  // After the end of the input: numbers of the rows in order, and the next to give out.
  FlatVector<int64_t> numbers_;
  uint32_t next_row_ = 0;
};

}  // namespace millrace
