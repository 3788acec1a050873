#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/row_pacer.h"
#include "worker/kernels/aggregate_set.h"
#include "worker/kernels/group_table.h"
#include "worker/operators/aggregate_plan.h"
#include "worker/operators/bounded_operator.h"

namespace millrace {

// GROUP BY over bounded input, in one phase or as either half of two; also the first half over
// unbounded input, which combines rows until the next barrier or watermark. Groups come out in
// order of first appearance.
//
// A first half that finds almost as many groups as rows stops looking for groups and passes rows on
// as accumulator columns.
class HashAggregateOperator final : public BoundedOperator {
 public:
  // The operator for any HashAggregateNode: this one, or one that keeps state.
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;

 private:
  explicit HashAggregateOperator(AggregatePlan plan)
      : BoundedOperator("aggregation"), plan_(std::move(plan)), groups_(plan_.key_types) {}

  absl::Status Consume(const Batch& batch);
  // The rows as accumulator columns, each a group of its own.
  absl::StatusOr<Batch> PassThrough(const Batch& batch);
  void DecideOnPassThrough();
  bool ShouldFlush() const;
  // Gives out all groups and forgets them.
  absl::StatusOr<Progress> Flush(Emitter& out);
  absl::StatusOr<Batch> GroupBatch(uint32_t begin, uint32_t n) const;

  const AggregatePlan plan_;
  GroupTable groups_;
  std::unique_ptr<AggregateSet> aggregates_;
  std::vector<uint32_t> row_groups_;
  // First half: rows seen and groups given out since the start, and what follows from them.
  int64_t rows_seen_ = 0;
  int64_t groups_given_out_ = 0;
  bool decided_ = false;
  bool passes_through_ = false;
  std::unique_ptr<AggregateSet> pass_through_aggregates_;
  // Giving out: the next group.
  bool flushing_ = false;
  uint32_t next_group_ = 0;
  RowPacer groups_at_once_{1};
};

}  // namespace millrace
