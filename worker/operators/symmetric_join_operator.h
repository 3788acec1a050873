#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/join_plan.h"
#include "worker/operators/join_side.h"
#include "worker/operators/operator.h"
#include "worker/state/cold_state.h"

namespace millrace {

// Equality join of two unbounded inputs. Both sides keep their rows with multiplicities; a change
// of either side is joined with what the other side holds and given out at once, with the product
// of the weights. Outer, semi and anti joins count the matches of each row that they keep: when the
// count leaves or reaches 0, the padded row (or the row itself) is taken back or given out. With a
// window_end key, rows whose window is over are forgotten.
class SymmetricJoinOperator final : public Operator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(JoinPlan plan);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  absl::Status Close() override;

 private:
  // A chunk of pairs (row of the batch, stored row of the other side), after the residual.
  struct Pairs {
    std::vector<int32_t> batch_rows;
    std::vector<uint32_t> stored_rows;
  };

  explicit SymmetricJoinOperator(JoinPlan plan);

  const std::vector<int>& KeysOf(InputIndex input) const {
    return input == 0 ? plan_.left_keys : plan_.right_keys;
  }
  absl::StatusOr<Batch> WithoutLateRows(InputIndex input, const Batch& batch);
  absl::StatusOr<Progress> Join(Emitter& out);
  absl::Status CollectPairs(Pairs* pairs);
  absl::Status FilterPairs(Pairs* pairs);
  absl::Status EmitPairs(const Pairs& pairs, Emitter& out);
  // Counts matches on both sides and gives out what outer, semi and anti joins owe for them.
  absl::Status CountMatches(const Pairs& pairs, Emitter& out);
  bool IsInChanged(uint32_t row) const;
  // The batch has met all rows of the other side: stores its rows, and gives out those that have no
  // match.
  absl::Status FinishBatch(Emitter& out);
  absl::Status EmitWeighted(Batch rows, FlatVector<int64_t> weights, Emitter& out);
  // Rows of one side alone: padded with NULLs (outer), or as they are (semi, anti).
  Batch AloneColumns(InputIndex side, const Batch& rows) const;
  // Whether a side's rows are given out alone while they have matches / none.
  bool EmitsAlone(InputIndex side, bool matched) const;
  bool NeedsCounts(InputIndex side) const;
  int64_t WeightOf(int64_t row) const {
    return batch_.raw_weights() == nullptr ? 1 : batch_.raw_weights()[row];
  }

  const JoinPlan plan_;
  OperatorContext* context_ = nullptr;
  std::optional<MemoryReservation> memory_;
  std::unique_ptr<Evaluator> residual_;
  std::unique_ptr<JoinSide> sides_[2];
  int64_t watermark_ = Watermark::kMinWatermark;
  // What is still to come from the store.
  ColdState cold_;

  // The batch at work, of side input_; pairs before (next_row_, cursor_) are done.
  Batch batch_;
  InputIndex input_ = 0;
  std::vector<uint32_t> other_groups_;
  int64_t next_row_ = 0;
  uint32_t cursor_ = kNoRow;
  bool row_started_ = false;
  // Matches of each row of the batch so far.
  std::vector<int64_t> batch_matches_;
  // Scratch of CountMatches: stored rows whose matches changed, what they had before, and, by
  // stored row, where it stands in changed_ if it is there.
  std::vector<uint32_t> changed_;
  std::vector<int64_t> matches_before_;
  FlatVector<uint32_t> position_in_changed_;
};

}  // namespace millrace
