#include <cstring>

#include "absl/status/statusor.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/column_store.h"
#include "worker/operators/streaming/over_function.h"
#include "worker/operators/streaming/stored_accumulator.h"

namespace millrace {
namespace {

// The rows of a slice that min and max look at, beside other values of the type.
class Candidates {
 public:
  Candidates(const OverCallPlan& call, const Batch& rows)
      : is_min_(call.aggregate->function == AggregateFunction::kMin), values_({call.type}) {
    const AggregateCall& aggregate = *call.aggregate;
    values_.Append(Batch({rows.column(aggregate.args[0])}, rows.num_rows()));
    if (aggregate.filter.has_value()) filter_ = ColumnView(*rows.column(*aggregate.filter));
    has_filter_ = aggregate.filter.has_value();
  }
  // Appends values that are not rows of the slice; returns the number of the first.
  uint32_t Append(const std::shared_ptr<arrow::Array>& values) {
    const uint32_t first = values_.num_rows();
    values_.Append(Batch({values}, values->length()));
    return first;
  }
  bool Takes(uint32_t row) const {
    return !values_.IsNull(0, row) && (!has_filter_ || (!filter_.IsNull(row) && filter_.Bool(row)));
  }
  bool IsNull(uint32_t value) const { return values_.IsNull(0, value); }
  // a comes before b, or is equal to it.
  bool NotWorse(uint32_t a, uint32_t b) const {
    const int order = values_.Compare(0, a, b);
    return is_min_ ? order <= 0 : order >= 0;
  }
  std::shared_ptr<arrow::Array> Gather(const std::vector<uint32_t>& picked) const {
    return values_.Gather(0, picked);
  }

 private:
  const bool is_min_;
  ColumnStore values_;
  ColumnView filter_;
  bool has_filter_ = false;
};

// min and max of frames that lie inside of the slice. Both ends of frames only move on, so the rows
// that can still be the best form a queue, best first.
class FrameMinMaxFunction final : public StatelessOverFunction {
 public:
  explicit FrameMinMaxFunction(const OverCallPlan& call) : call_(call) {}

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    const Candidates candidates(call_, slice.rows);
    ComputeFrames(slice, call_.frame, &frames_);
    std::vector<uint32_t> picked;
    picked.reserve(slice.num_new);
    int64_t out = 0;
    for (const OverSegment& segment : slice.segments) {
      queue_.clear();
      head_ = 0;
      int32_t next = frames_.begin[out];
      for (int32_t row = segment.first; row < segment.end; ++row, ++out) {
        for (; next < frames_.end[out]; ++next) Enter(candidates, static_cast<uint32_t>(next));
        const auto begin = static_cast<uint32_t>(frames_.begin[out]);
        while (head_ < queue_.size() && queue_[head_] < begin) ++head_;
        picked.push_back(head_ < queue_.size() ? queue_[head_] : kNoRow);
      }
    }
    return candidates.Gather(picked);
  }

 private:
  // Rows that are not better than a later one cannot be the best any more.
  void Enter(const Candidates& candidates, uint32_t row) {
    if (!candidates.Takes(row)) return;
    while (queue_.size() > head_ && candidates.NotWorse(row, queue_.back())) queue_.pop_back();
    queue_.push_back(row);
  }

  const OverCallPlan call_;
  OverFrames frames_;
  // Rows before head_ have left the frame.
  std::vector<uint32_t> queue_;
  size_t head_ = 0;
};

// min and max of frames from the partition's first row.
class RunningMinMaxFunction final : public OverFunction {
 public:
  RunningMinMaxFunction(const OverCallPlan& call, StoredAccumulator bests)
      : call_(call), bests_(std::move(bests)) {}

  void Resize(uint32_t num_keys) override { bests_.accumulator().Resize(num_keys); }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    Candidates candidates(call_, slice.rows);
    ComputeFrames(slice, call_.frame, &frames_);
    keys_.clear();
    for (const OverSegment& segment : slice.segments) keys_.push_back(segment.key);
    MR_ASSIGN_OR_RETURN(const auto bests, bests_.accumulator().Result(keys_));
    uint32_t first_best = candidates.Append(bests);
    std::vector<uint32_t> picked;
    picked.reserve(slice.num_new);
    int64_t out = 0;
    for (const OverSegment& segment : slice.segments) {
      uint32_t best = candidates.IsNull(first_best) ? kNoRow : first_best;
      ++first_best;
      int32_t next = frames_.begin[out];
      for (int32_t row = segment.first; row < segment.end; ++row, ++out) {
        for (; next < frames_.end[out]; ++next) {
          const auto entering = static_cast<uint32_t>(next);
          if (!candidates.Takes(entering)) continue;
          // The earlier one of equal values stays.
          if (best == kNoRow || !candidates.NotWorse(best, entering)) best = entering;
        }
        picked.push_back(best);
      }
    }
    auto result = candidates.Gather(picked);
    MR_RETURN_IF_ERROR(Keep(slice, *result));
    return result;
  }

  absl::Status AppendState(absl::Span<const uint32_t> keys,
                           std::vector<std::string>* values) const override {
    return bests_.AppendState(keys, values);
  }
  absl::Status RestoreState(absl::Span<const uint32_t> keys,
                            std::vector<std::string_view>* values) override {
    return bests_.RestoreState(keys, values);
  }
  int64_t bytes() const override { return bests_.accumulator().bytes(); }

 private:
  // The value of a segment's last row is the best so far.
  absl::Status Keep(const OverSlice& slice, const arrow::Array& result) {
    std::vector<int32_t> last_rows;
    row_keys_.resize(slice.num_new);
    int64_t out = 0;
    for (const OverSegment& segment : slice.segments) {
      out += segment.end - segment.first;
      last_rows.push_back(static_cast<int32_t>(out - 1));
      row_keys_[out - 1] = segment.key;
    }
    AccumulatorRows rows;
    rows.selected = last_rows.data();
    rows.num_rows = static_cast<int64_t>(last_rows.size());
    rows.groups = row_keys_.data();
    const ColumnView view(result);
    return bests_.accumulator().Update(absl::MakeConstSpan(&view, 1), rows);
  }

  const OverCallPlan call_;
  StoredAccumulator bests_;
  OverFrames frames_;
  std::vector<uint32_t> keys_;
  std::vector<uint32_t> row_keys_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<OverFunction>> MakeMinMaxFunction(const OverCallPlan& call) {
  // Also where nothing is kept: it says which types have an order.
  MR_ASSIGN_OR_RETURN(StoredAccumulator bests, StoredAccumulator::Create(call));
  if (call.frame.start.has_value()) {
    return std::unique_ptr<OverFunction>(new FrameMinMaxFunction(call));
  }
  return std::unique_ptr<OverFunction>(new RunningMinMaxFunction(call, std::move(bests)));
}

}  // namespace millrace
