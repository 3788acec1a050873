#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/join_table.h"
#include "worker/operators/bounded_operator.h"
#include "worker/operators/join_output.h"
#include "worker/operators/join_plan.h"

namespace millrace {

// Equality join of which input 1 is bounded: it is read to its end into a table, then input 0 is
// probed batch by batch. Weights of probe rows pass through. RIGHT and FULL give out the build rows
// without a match at the end of input 0.
class HashJoinOperator final : public BoundedOperator {
 public:
  // The operator for any HashJoinNode: this one, or the symmetric one.
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  uint32_t open_inputs() const override { return built_ ? 1 : 2; }

 private:
  explicit HashJoinOperator(JoinPlan plan);

  void StartProbe(Batch batch);
  // Works on the probe batch until it is used up or the output is full.
  absl::StatusOr<Progress> Probe(Emitter& out);
  // The next chunk of (probe row, build row) pairs with equal keys. An unmatched row of LEFT or
  // FULL is paired with kNoRow where no residual can take its matches away.
  void CollectPairs();
  // Drops the pairs that the residual refuses.
  absl::Status FilterPairs();
  absl::Status EmitPairs(Emitter& out);
  // Gives out the probe rows that need all their matches known: SEMI and ANTI rows, unmatched rows
  // under a residual.
  absl::Status EmitDecidedRows(Emitter& out);
  bool IsSelected(int64_t row) const;
  absl::StatusOr<Progress> EmitUnmatchedBuildRows(Emitter& out);
  bool DecidesByRow() const {
    return !plan_.joins_columns() || (plan_.keeps_left() && residual_ != nullptr);
  }

  const JoinPlan plan_;
  JoinTable table_;
  std::unique_ptr<Evaluator> residual_;
  bool built_ = false;

  // The probe batch at work. Pairs before (next_row_, next_match_) were collected.
  Batch probe_;
  std::vector<uint32_t> groups_;
  int64_t next_row_ = 0;
  int64_t next_match_ = 0;
  // Rows before it were given out, or not, by EmitDecidedRows.
  int64_t decided_row_ = 0;
  std::vector<uint8_t> probe_matched_;
  std::vector<int32_t> pair_probe_rows_;
  std::vector<uint32_t> pair_build_rows_;
  std::optional<PairRoom> room_;

  // RIGHT, FULL.
  std::vector<uint8_t> build_matched_;
  bool probe_ended_ = false;
  uint32_t next_build_row_ = 0;
};

}  // namespace millrace
