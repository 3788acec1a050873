#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/column_store.h"
#include "worker/operators/bounded_operator.h"
#include "worker/operators/join_output.h"
#include "worker/operators/join_plan.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// A join on any condition, or none (cross join): every row of input 0 is compared with every row of
// input 1, which is read to its end first.
class NestedLoopJoinOperator final : public BoundedOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  uint32_t open_inputs() const override { return built_ ? 1 : 2; }

 private:
  explicit NestedLoopJoinOperator(JoinPlan plan);

  absl::StatusOr<Progress> Probe(Emitter& out);
  // The next chunk of pairs that fulfil the condition.
  absl::Status CollectPairs();
  absl::Status EmitDecidedRows(Emitter& out);
  absl::StatusOr<Progress> EmitUnmatchedRight(Emitter& out);

  const JoinPlan plan_;
  ColumnStore right_;
  std::unique_ptr<Evaluator> condition_;
  bool built_ = false;
  bool probe_ended_ = false;

  // The left batch at work: pairs before (next_row_, next_right_) are done.
  Batch left_;
  int64_t next_row_ = 0;
  uint32_t next_right_ = 0;
  int64_t decided_row_ = 0;
  std::vector<uint8_t> left_matched_;
  std::vector<int32_t> left_rows_;
  std::vector<uint32_t> right_rows_;
  std::optional<PairRoom> room_;

  // The numbers of all right rows.
  std::vector<uint32_t> all_right_;
  std::vector<uint8_t> right_matched_;
  uint32_t next_unmatched_ = 0;
};

}  // namespace millrace
