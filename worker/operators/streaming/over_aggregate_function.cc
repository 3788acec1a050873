#include <numeric>

#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/evaluator.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/column_store.h"
#include "worker/operators/streaming/over_function.h"
#include "worker/operators/streaming/stored_accumulator.h"

namespace millrace {
namespace {

// Pairs of frame and row that are added up together.
constexpr size_t kPairsMax = 1 << 16;

std::vector<ColumnView> ArgumentsOf(const OverCallPlan& call, const Batch& rows) {
  std::vector<ColumnView> views;
  for (const int arg : call.aggregate->args) views.emplace_back(*rows.column(arg));
  return views;
}

// The FILTER of an aggregate.
class Filter {
 public:
  Filter(const OverCallPlan& call, const Batch& rows) : has_(call.aggregate->filter.has_value()) {
    if (has_) view_ = ColumnView(*rows.column(*call.aggregate->filter));
  }
  bool Passes(int64_t row) const { return !has_ || (!view_.IsNull(row) && view_.Bool(row)); }

 private:
  const bool has_;
  ColumnView view_;
};

// Any aggregate over frames that lie inside of the slice: each frame is a group, to which all its
// rows are added.
class FrameAggregateFunction final : public StatelessOverFunction {
 public:
  explicit FrameAggregateFunction(const OverCallPlan& call) : call_(call) {}

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    ComputeFrames(slice, call_.frame, &frames_);
    MR_ASSIGN_OR_RETURN(auto accumulator, MakeAccumulator(SpecOf(call_)));
    accumulator->Resize(static_cast<uint32_t>(slice.num_new));
    std::vector<std::shared_ptr<arrow::Array>> args;
    for (const int arg : call_.aggregate->args) args.push_back(slice.rows.column(arg));
    const Batch values(std::move(args), slice.rows.num_rows());
    const Filter filter(call_, slice.rows);
    for (int64_t out = 0; out < slice.num_new; ++out) {
      for (int32_t row = frames_.begin[out]; row < frames_.end[out]; ++row) {
        if (!filter.Passes(row)) continue;
        rows_.push_back(row);
        frame_of_.push_back(static_cast<uint32_t>(out));
      }
      if (rows_.size() >= kPairsMax) MR_RETURN_IF_ERROR(AddPairs(values, *accumulator));
    }
    MR_RETURN_IF_ERROR(AddPairs(values, *accumulator));
    std::vector<uint32_t> frames(static_cast<size_t>(slice.num_new));
    std::iota(frames.begin(), frames.end(), 0);
    return accumulator->Result(frames);
  }

 private:
  absl::Status AddPairs(const Batch& values, Accumulator& accumulator) {
    const auto n = static_cast<int64_t>(rows_.size());
    MR_ASSIGN_OR_RETURN(const Batch taken, TakeRows(values, rows_.data(), n));
    std::vector<ColumnView> views;
    for (const auto& column : taken.columns()) views.emplace_back(*column);
    AccumulatorRows rows;
    rows.num_rows = n;
    rows.groups = frame_of_.data();
    absl::Status status = accumulator.Update(views, rows);
    rows_.clear();
    frame_of_.clear();
    return status;
  }

  const OverCallPlan call_;
  OverFrames frames_;
  std::vector<int32_t> rows_;
  std::vector<uint32_t> frame_of_;
};

// Any aggregate over frames from the partition's first row. The n-th new rows of all segments are
// added and read together, so it is quick for many partitions only; frequent aggregates have
// functions of their own.
class RunningAggregateFunction final : public OverFunction {
 public:
  RunningAggregateFunction(const OverCallPlan& call, StoredAccumulator stored)
      : call_(call), stored_(std::move(stored)) {}

  void Resize(uint32_t num_keys) override { stored_.accumulator().Resize(num_keys); }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    ComputeFrames(slice, call_.frame, &frames_);
    const std::vector<ColumnView> args = ArgumentsOf(call_, slice.rows);
    const Filter filter(call_, slice.rows);
    row_keys_.resize(slice.rows.num_rows());
    // By segment: its first new row's number, and the first row that is not added yet.
    std::vector<int64_t> numbers;
    std::vector<int32_t> nexts;
    int64_t out = 0;
    for (const OverSegment& segment : slice.segments) {
      numbers.push_back(out);
      nexts.push_back(frames_.begin[out]);
      out += segment.end - segment.first;
    }
    ColumnStore results({call_.type});
    std::vector<uint32_t> picked(static_cast<size_t>(slice.num_new));
    for (int32_t round = 0; results.num_rows() < slice.num_new; ++round) {
      std::vector<int32_t> added;
      std::vector<uint32_t> keys;
      for (size_t i = 0; i < slice.segments.size(); ++i) {
        const OverSegment& segment = slice.segments[i];
        if (segment.first + round >= segment.end) continue;
        const int64_t number = numbers[i] + round;
        for (int32_t& row = nexts[i]; row < frames_.end[number]; ++row) {
          if (!filter.Passes(row)) continue;
          added.push_back(row);
          row_keys_[row] = segment.key;
        }
        picked[number] = results.num_rows() + static_cast<uint32_t>(keys.size());
        keys.push_back(segment.key);
      }
      AccumulatorRows rows;
      rows.selected = added.data();
      rows.num_rows = static_cast<int64_t>(added.size());
      rows.groups = row_keys_.data();
      if (!added.empty()) MR_RETURN_IF_ERROR(stored_.accumulator().Update(args, rows));
      MR_ASSIGN_OR_RETURN(auto column, stored_.accumulator().Result(keys));
      const int64_t n = column->length();
      results.Append(Batch({std::move(column)}, n));
    }
    return results.Gather(0, picked);
  }

  absl::Status AppendState(absl::Span<const uint32_t> keys,
                           std::vector<std::string>* values) const override {
    return stored_.AppendState(keys, values);
  }
  absl::Status RestoreState(absl::Span<const uint32_t> keys,
                            std::vector<std::string_view>* values) override {
    return stored_.RestoreState(keys, values);
  }
  int64_t bytes() const override { return stored_.accumulator().bytes(); }

 private:
  const OverCallPlan call_;
  StoredAccumulator stored_;
  OverFrames frames_;
  std::vector<uint32_t> row_keys_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<OverFunction>> MakeFrameAggregate(const OverCallPlan& call) {
  // Says now whether there is such an aggregate.
  MR_RETURN_IF_ERROR(MakeAccumulator(SpecOf(call)).status());
  return std::unique_ptr<OverFunction>(new FrameAggregateFunction(call));
}

absl::StatusOr<std::unique_ptr<OverFunction>> MakeRunningAggregate(const OverCallPlan& call) {
  MR_ASSIGN_OR_RETURN(StoredAccumulator stored, StoredAccumulator::Create(call));
  return std::unique_ptr<OverFunction>(new RunningAggregateFunction(call, std::move(stored)));
}

}  // namespace millrace
