#include <algorithm>
#include <numeric>

#include "arrow/array.h"
#include "arrow/array/concatenate.h"
#include "arrow/type.h"
#include "arrow/type_traits.h"
#include "common/base/status.h"
#include "common/expr/column_writer.h"
#include "common/expr/kernel.h"
#include "common/types/arrow_status.h"
#include "common/types/decimal.h"
#include "worker/kernels/aggregate_set.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/compare.h"
#include "worker/kernels/float_parts.h"
#include "worker/kernels/window_call.h"

namespace millrace {
namespace {

using Columns = std::vector<std::shared_ptr<arrow::Array>>;

// Which rows an aggregate takes: those whose argument is not NULL and that its FILTER lets through.
FlatVector<uint8_t> TakenRows(const WindowCall& call, const Batch& rows) {
  FlatVector<uint8_t> taken;
  taken.Resize(rows.num_rows(), 1);
  if (!call.args.empty()) {
    const ColumnView column(*rows.column(call.args[0]));
    for (int64_t i = 0; column.nullable() && i < rows.num_rows(); ++i) {
      if (column.IsNull(i)) taken[i] = 0;
    }
  }
  if (call.aggregate.filter.has_value()) {
    const ColumnView filter(*rows.column(*call.aggregate.filter));
    for (int64_t i = 0; i < rows.num_rows(); ++i) {
      if (filter.IsNull(i) || !filter.Bool(i)) taken[i] = 0;
    }
  }
  return taken;
}

// Moves one window over all frames: rows enter and leave it in order. `state` has Reset, Add and
// Remove.
template <typename State, typename Emit>
void Slide(const FrameRows& frames, State& state, const Emit& emit) {
  uint32_t begin = 0;
  uint32_t end = 0;
  for (uint32_t i = 0; i < frames.begin.size(); ++i) {
    const uint32_t next_begin = frames.begin[i];
    const uint32_t next_end = frames.end[i];
    // Nothing in common with the frame before (a new partition), or a step back.
    if (next_begin >= end || next_begin < begin || next_end < end) {
      state.Reset();
      begin = end = next_begin;
    }
    while (end < next_end) state.Add(end++);
    while (begin < next_begin) state.Remove(begin++);
    emit(i);
  }
}

// Exact sums as running totals: the sum of a frame is the difference of two of them, also after
// wrapping around.
template <typename T, typename Sum>
absl::Status ExactSums(const ColumnView& column, const FlatVector<uint8_t>& taken,
                       const FrameRows& frames, const SqlType& sum_type, Columns* partial) {
  using Unsigned = std::conditional_t<sizeof(Sum) == 16, unsigned __int128, uint64_t>;
  const int64_t n = frames.begin.size();
  FlatVector<Unsigned> totals(n + 1);
  FlatVector<int64_t> counts(n + 1);
  totals[0] = 0;
  counts[0] = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T value = taken[i] != 0 ? column.Get<T>(i) : T{0};
    totals[i + 1] = totals[i] + static_cast<Unsigned>(static_cast<Sum>(value));
    counts[i + 1] = counts[i] + taken[i];
  }
  FlatVector<Sum> sums(n);
  FlatVector<int64_t> frame_counts(n);
  bool fits = true;
  for (int64_t i = 0; i < n; ++i) {
    sums[i] = static_cast<Sum>(totals[frames.end[i]] - totals[frames.begin[i]]);
    frame_counts[i] = counts[frames.end[i]] - counts[frames.begin[i]];
    if constexpr (sizeof(Sum) == 16) fits &= FitsDecimal(sums[i]);
  }
  if (!fits) return MakeError(SqlState::kNumericOutOfRange, "value overflows numeric format");
  partial->push_back(MakeFixedArray(ToArrowType(sum_type), std::move(sums), NullBits(n)));
  partial->push_back(MakeInt64Array(std::move(frame_counts)));
  return absl::OkStatus();
}

template <typename T>
struct FloatWindow {
  const T* values;
  const uint8_t* taken;
  CompensatedSum sum;
  NonFinite non_finite;
  int64_t count = 0;

  void Reset() {
    sum = CompensatedSum();
    non_finite = NonFinite();
    count = 0;
  }
  void Change(uint32_t row, int weight) {
    if (taken[row] == 0) return;
    count += weight;
    const double value = values[row];
    if (std::isfinite(value)) {
      sum.Add(weight * value);
    } else {
      non_finite.Add(value, weight);
    }
    // Rounding errors end with the rows that they came from.
    if (count == 0) Reset();
  }
  void Add(uint32_t row) { Change(row, 1); }
  void Remove(uint32_t row) { Change(row, -1); }
};

template <typename T>
void FloatSums(const ColumnView& column, const FlatVector<uint8_t>& taken, const FrameRows& frames,
               Columns* partial) {
  const int64_t n = frames.begin.size();
  FlatVector<double> sums(n);
  FlatVector<int64_t> counts(n);
  TextOutput special(n);
  FloatWindow<T> window{column.data<T>(), taken.data(), {}, {}, 0};
  Slide(frames, window, [&](uint32_t i) {
    sums[i] = window.sum.value();
    counts[i] = window.count;
    if (window.non_finite.any()) {
      special.Append({reinterpret_cast<const char*>(&window.non_finite), sizeof(NonFinite)});
    } else {
      special.AppendNull();
    }
  });
  partial->push_back(MakeFixedArray(arrow::float64(), std::move(sums), NullBits(n)));
  partial->push_back(MakeInt64Array(std::move(counts)));
  partial->push_back(special.Finish(arrow::binary()));
}

// The rows that may still become the extreme one of a frame, best first.
struct ExtremeWindow {
  const ColumnView& column;
  const uint8_t* taken;
  // 1 for min, −1 for max.
  const int sign;
  FlatVector<uint32_t> rows;
  int64_t head = 0;

  void Reset() {
    rows.Clear();
    head = 0;
  }
  void Add(uint32_t row) {
    if (taken[row] == 0) return;
    while (rows.size() > head && sign * CompareValues(column, row, column, rows.back()) <= 0) {
      rows.ResizeUninitialized(rows.size() - 1);
    }
    rows.PushBack(row);
  }
  void Remove(uint32_t row) {
    if (rows.size() > head && rows[head] == row) ++head;
  }
  uint32_t best() const { return rows.size() > head ? rows[head] : kNoRow; }
};

std::shared_ptr<arrow::Array> Extremes(const WindowCall& call, const Batch& rows,
                                       const FlatVector<uint8_t>& taken, const FrameRows& frames) {
  const ColumnView column(*rows.column(call.args[0]));
  const int sign = call.aggregate.function == AggregateFunction::kMin ? 1 : -1;
  ExtremeWindow window{column, taken.data(), sign, {}, 0};
  std::vector<uint32_t> best(rows.num_rows());
  Slide(frames, window, [&](uint32_t i) { best[i] = window.best(); });
  return TakeValues(rows.column(call.args[0]), call.arg_types[0], best);
}

void Counts(const FlatVector<uint8_t>& taken, const FrameRows& frames, Columns* partial) {
  const int64_t n = frames.begin.size();
  FlatVector<int64_t> totals(n + 1);
  totals[0] = 0;
  for (int64_t i = 0; i < n; ++i) totals[i + 1] = totals[i] + taken[i];
  FlatVector<int64_t> counts(n);
  for (int64_t i = 0; i < n; ++i) counts[i] = totals[frames.end[i]] - totals[frames.begin[i]];
  partial->push_back(MakeInt64Array(std::move(counts)));
}

// Lets the accumulator of the call finish accumulator columns that hold one frame a row.
absl::StatusOr<std::shared_ptr<arrow::Array>> FinishPartial(const WindowCall& call, Columns partial,
                                                            int64_t n) {
  AggregateCall plain = call.aggregate;
  plain.filter.reset();
  MR_ASSIGN_OR_RETURN(const auto set, AggregateSet::Create({plain}, {call.arg_types}, {}));
  std::vector<uint32_t> groups(n);
  std::iota(groups.begin(), groups.end(), 0);
  set->Resize(static_cast<uint32_t>(n));
  MR_RETURN_IF_ERROR(set->Merge(Batch(std::move(partial), n), 0, groups.data()));
  Columns results;
  MR_RETURN_IF_ERROR(set->Results(groups, &results));
  return results[0];
}

// Any other aggregate: its accumulator takes rows in and out.
struct AccumulatorWindow {
  AggregateSet& set;
  const Batch& rows;
  absl::Status status;
  const uint32_t group = 0;

  void Reset() {
    set.Clear();
    set.Resize(1);
  }
  void Change(uint32_t row, int64_t weight) {
    FlatVector<int64_t> weights;
    weights.PushBack(weight);
    const Batch one = rows.Slice(row, 1).WithWeights(MakeInt64Array(std::move(weights)));
    if (status.ok()) status = set.Update(one, &group);
  }
  void Add(uint32_t row) { Change(row, 1); }
  void Remove(uint32_t row) { Change(row, -1); }
};

// Bytes of the texts of an array; 0 for other types.
int64_t TextBytes(const arrow::Array& array) {
  if (!arrow::is_base_binary_like(array.type_id())) return 0;
  return static_cast<const arrow::BinaryArray&>(array).total_values_length();
}

absl::StatusOr<std::shared_ptr<arrow::Array>> AggregateByAccumulator(const WindowCall& call,
                                                                     const Batch& rows,
                                                                     const FrameRows& frames) {
  AggregateInput input;
  input.changing = true;
  MR_ASSIGN_OR_RETURN(const auto set,
                      AggregateSet::Create({call.aggregate}, {call.arg_types}, input));
  AccumulatorWindow window{*set, rows, absl::OkStatus()};
  window.Reset();
  // One for each frame, also where rows behind each other have the same.
  Columns results;
  std::vector<uint32_t> result_of_row(rows.num_rows());
  int64_t text_bytes = 0;
  Slide(frames, window, [&](uint32_t i) {
    const bool same =
        i > 0 && frames.begin[i] == frames.begin[i - 1] && frames.end[i] == frames.end[i - 1];
    if (!same && window.status.ok()) {
      window.status = set->Results({0}, &results);
      if (window.status.ok()) text_bytes += TextBytes(*results.back());
      if (text_bytes > kArrayTextBytesMax) window.status = TooMuchText(kArrayTextBytesMax);
    }
    result_of_row[i] = static_cast<uint32_t>(results.size()) - 1;
  });
  MR_RETURN_IF_ERROR(window.status);
  MR_ASSIGN_ARROW_OR_RETURN(auto values, arrow::Concatenate(results));
  if (results.size() == result_of_row.size()) return values;
  return TakeValues(values, call.type, result_of_row);
}

absl::Status SumsOf(const WindowCall& call, const Batch& rows, const FlatVector<uint8_t>& taken,
                    const FrameRows& frames, Columns* partial) {
  const ColumnView column(*rows.column(call.args[0]));
  const SqlType int8 = SqlType::Of(TypeId::kInt64);
  const int32_t scale = call.arg_types[0].is_numeric() ? call.arg_types[0].scale : 0;
  const SqlType numeric = SqlType::Numeric(kMaxNumericPrecision, scale);
  switch (column.layout) {
    case Layout::kInt16:
      return ExactSums<int16_t, int64_t>(column, taken, frames, int8, partial);
    case Layout::kInt32:
      return ExactSums<int32_t, int64_t>(column, taken, frames, int8, partial);
    case Layout::kInt64:
      return ExactSums<int64_t, __int128>(column, taken, frames, numeric, partial);
    case Layout::kInt128:
      return ExactSums<__int128, __int128>(column, taken, frames, numeric, partial);
    case Layout::kFloat32:
      FloatSums<float>(column, taken, frames, partial);
      return absl::OkStatus();
    default:
      FloatSums<double>(column, taken, frames, partial);
      return absl::OkStatus();
  }
}

bool IsExtreme(const WindowCall& call) {
  return call.aggregate.function == AggregateFunction::kMin ||
         call.aggregate.function == AggregateFunction::kMax;
}

bool IsCount(const WindowCall& call) {
  return call.aggregate.function == AggregateFunction::kCount ||
         call.aggregate.function == AggregateFunction::kCountStar;
}

// Whether the sum of some rows of a numeric column could leave 128 bits, so that a difference of
// running totals could be wrong without a sign of it. Integers are too few and too small for that.
bool SumsMayOverflow(const WindowCall& call, const Batch& rows) {
  if (IsCount(call) || !call.arg_types[0].is_numeric()) return false;
  const ColumnView column(*rows.column(call.args[0]));
  __int128 largest = 1;
  for (int64_t i = 0; i < column.length; ++i) {
    if (column.IsNull(i)) continue;
    const auto value = column.Get<__int128>(i);
    largest = std::max(largest, value < 0 ? -value : value);
  }
  return column.length > kMaxDecimal / largest;
}

// Whether there is a loop for it above.
bool HasFastWay(const WindowCall& call) {
  const bool is_sum = call.aggregate.function == AggregateFunction::kSum ||
                      call.aggregate.function == AggregateFunction::kAvg;
  return IsExtreme(call) || IsCount(call) || (is_sum && call.arg_types[0].is_number());
}

}  // namespace

absl::StatusOr<std::shared_ptr<arrow::Array>> AggregateFrames(const WindowCall& call,
                                                              const Batch& rows,
                                                              const FrameRows& frames) {
  if (rows.num_rows() == 0) return MakeNullArray(call.type, 0);
  const bool is_fast = !call.aggregate.distinct && HasFastWay(call) &&
                       (IsExtreme(call) || !SumsMayOverflow(call, rows));
  if (!is_fast) return AggregateByAccumulator(call, rows, frames);
  const FlatVector<uint8_t> taken = TakenRows(call, rows);
  if (IsExtreme(call)) return Extremes(call, rows, taken, frames);
  Columns partial;
  if (IsCount(call)) {
    Counts(taken, frames, &partial);
  } else {
    MR_RETURN_IF_ERROR(SumsOf(call, rows, taken, frames, &partial));
  }
  return FinishPartial(call, std::move(partial), rows.num_rows());
}

}  // namespace millrace
