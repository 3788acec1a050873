#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "common/types/decimal.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/float_parts.h"
#include "worker/operators/streaming/over_function.h"

namespace millrace {
namespace {

// Which rows of a slice an aggregate takes: those that pass its FILTER and are not NULL.
class TakenRows {
 public:
  TakenRows(const OverCallPlan& call, const Batch& rows) {
    const AggregateCall& aggregate = *call.aggregate;
    if (!aggregate.args.empty()) {
      arg_ = ColumnView(*rows.column(aggregate.args[0]));
      checks_arg_ = arg_.nullable();
    }
    if (aggregate.filter.has_value()) {
      filter_ = ColumnView(*rows.column(*aggregate.filter));
      checks_filter_ = true;
    }
  }
  bool operator()(int64_t row) const {
    if (checks_filter_ && (filter_.IsNull(row) || !filter_.Bool(row))) return false;
    return !checks_arg_ || !arg_.IsNull(row);
  }
  const ColumnView& arg() const { return arg_; }

 private:
  ColumnView arg_;
  ColumnView filter_;
  bool checks_arg_ = false;
  bool checks_filter_ = false;
};

// What the sums of num_rows frames, as accumulator columns, come to.
absl::StatusOr<std::shared_ptr<arrow::Array>> ResultOf(
    const OverCallPlan& call, const std::vector<std::shared_ptr<arrow::Array>>& columns,
    int64_t num_rows) {
  MR_ASSIGN_OR_RETURN(auto accumulator, MakeAccumulator(SpecOf(call)));
  std::vector<ColumnView> views;
  for (const auto& column : columns) views.emplace_back(*column);
  std::vector<uint32_t> groups(static_cast<size_t>(num_rows));
  for (size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<uint32_t>(i);
  accumulator->Resize(static_cast<uint32_t>(num_rows));
  AccumulatorRows rows;
  rows.num_rows = num_rows;
  rows.groups = groups.data();
  MR_RETURN_IF_ERROR(accumulator->Merge(views, rows));
  return accumulator->Result(groups);
}

template <typename State>
void AppendRaw(const State& state, std::string* out) {
  out->append(reinterpret_cast<const char*>(&state), sizeof(state));
}

template <typename State>
bool TakeRaw(std::string_view* from, State* state) {
  if (from->size() < sizeof(State)) return false;
  std::memcpy(state, from->data(), sizeof(State));
  from->remove_prefix(sizeof(State));
  return true;
}

// Keeps a plain struct by key for frames from the partition's first row.
template <typename State>
class SumFunction : public OverFunction {
 public:
  explicit SumFunction(const OverCallPlan& call)
      : call_(call), running_(!call.frame.start.has_value()) {}

  void Resize(uint32_t num_keys) final {
    if (running_) states_.Resize(num_keys, State{});
  }
  absl::Status AppendState(absl::Span<const uint32_t> keys,
                           std::vector<std::string>* values) const final {
    if (!running_) return absl::OkStatus();
    for (size_t i = 0; i < keys.size(); ++i) AppendRaw(states_[keys[i]], &(*values)[i]);
    return absl::OkStatus();
  }
  absl::Status RestoreState(absl::Span<const uint32_t> keys,
                            std::vector<std::string_view>* values) final {
    if (!running_) return absl::OkStatus();
    for (size_t i = 0; i < keys.size(); ++i) {
      if (!TakeRaw(&(*values)[i], &states_[keys[i]])) return CorruptOverState();
    }
    return absl::OkStatus();
  }
  int64_t bytes() const final { return states_.bytes(); }

 protected:
  const OverCallPlan call_;
  // The frames begin with the partition; states_ holds what came before the slice.
  const bool running_;
  FlatVector<State> states_;
  OverFrames frames_;
};

struct ExactState {
  __int128 sum = 0;
  int64_t count = 0;
};

// count, and sum and avg of exact numbers: the difference of two running sums, whatever the frame's
// length. T: the values' type; void if only their number matters.
template <typename T>
class ExactSumFunction final : public SumFunction<ExactState> {
 public:
  using SumFunction::SumFunction;

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    Accumulate(slice);
    ComputeFrames(slice, call_.frame, &frames_);
    FlatVector<__int128> sums(kSums ? slice.num_new : 0);
    FlatVector<int64_t> counts(slice.num_new);
    int64_t out = 0;
    for (const OverSegment& segment : slice.segments) {
      ExactState state;
      if (running_) state = states_[segment.key];
      for (int32_t row = segment.first; row < segment.end; ++row, ++out) {
        const int32_t begin = frames_.begin[out];
        const int32_t end = frames_.end[out];
        counts[out] = state.count + counts_[end] - counts_[begin];
        if constexpr (kSums) sums[out] = state.sum + sums_[end] - sums_[begin];
      }
      if (!running_) continue;
      states_[segment.key].count = counts[out - 1];
      if constexpr (kSums) states_[segment.key].sum = sums[out - 1];
    }
    if constexpr (!kSums) {
      return MakeInt64Array(std::move(counts));
    } else {
      return Finish(std::move(sums), std::move(counts));
    }
  }

 private:
  static constexpr bool kSums = !std::is_void_v<T>;

  // Number and sum of the values before each position.
  void Accumulate(const OverSlice& slice) {
    const int64_t n = slice.rows.num_rows();
    const TakenRows taken(call_, slice.rows);
    counts_.ResizeUninitialized(n + 1);
    counts_[0] = 0;
    for (int64_t i = 0; i < n; ++i) counts_[i + 1] = counts_[i] + (taken(i) ? 1 : 0);
    if constexpr (kSums) {
      sums_.ResizeUninitialized(n + 1);
      sums_[0] = 0;
      const T* values = taken.arg().template data<T>();
      for (int64_t i = 0; i < n; ++i) {
        const bool takes = counts_[i + 1] != counts_[i];
        sums_[i + 1] = sums_[i] + (takes ? static_cast<__int128>(LoadAt(values, i)) : 0);
      }
    }
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Finish(FlatVector<__int128> sums,
                                                       FlatVector<int64_t> counts) {
    const int64_t n = counts.size();
    std::shared_ptr<arrow::Array> sum_column;
    bool fits = true;
    if constexpr (std::is_same_v<T, int16_t> || std::is_same_v<T, int32_t>) {
      FlatVector<int64_t> narrow(n);
      for (int64_t i = 0; i < n; ++i) {
        narrow[i] = static_cast<int64_t>(sums[i]);
        fits &= narrow[i] == sums[i];
      }
      sum_column = MakeFixedArray(arrow::int64(), std::move(narrow), NullBits(n));
    } else {
      for (int64_t i = 0; i < n; ++i) fits &= FitsDecimal(sums[i]);
      const SqlType& arg = call_.arg_types[0];
      const SqlType type = SqlType::Numeric(kMaxNumericPrecision, arg.is_numeric() ? arg.scale : 0);
      sum_column = MakeFixedArray(ToArrowType(type), std::move(sums), NullBits(n));
    }
    if (!fits) {
      return MakeError(SqlState::kNumericOutOfRange,
                       absl::StrCat(TypeName(call_.type), " out of range"));
    }
    return ResultOf(call_, {std::move(sum_column), MakeInt64Array(std::move(counts))}, n);
  }

  FlatVector<__int128> sums_;
  FlatVector<int64_t> counts_;
};

struct FloatState {
  CompensatedSum sum;
  int64_t count = 0;
  NonFinite special;

  void Add(double value) {
    ++count;
    if (std::isfinite(value)) [[likely]] {
      sum.Add(value);
    } else {
      special.Add(value, 1);
    }
  }
};

// sum and avg of floats. Every frame is added up by itself, from its first row to its last:
// differences of running sums would depend on what came before.
template <typename T>
class FloatSumFunction final : public SumFunction<FloatState> {
 public:
  using SumFunction::SumFunction;

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    ComputeFrames(slice, call_.frame, &frames_);
    const TakenRows taken(call_, slice.rows);
    const T* values = taken.arg().template data<T>();
    FlatVector<double> sums(slice.num_new);
    FlatVector<int64_t> counts(slice.num_new);
    TextOutput special(slice.num_new);
    int64_t out = 0;
    for (const OverSegment& segment : slice.segments) {
      FloatState state;
      int32_t next = frames_.begin[out];
      if (running_) state = states_[segment.key];
      for (int32_t row = segment.first; row < segment.end; ++row, ++out) {
        if (!running_) {
          state = FloatState{};
          next = frames_.begin[out];
        }
        for (; next < frames_.end[out]; ++next) {
          if (taken(next)) state.Add(values[next]);
        }
        sums[out] = state.sum.value();
        counts[out] = state.count;
        AppendSpecial(state.special, &special);
      }
      if (running_) states_[segment.key] = state;
    }
    const int64_t n = slice.num_new;
    return ResultOf(call_,
                    {MakeFixedArray(arrow::float64(), std::move(sums), NullBits(n)),
                     MakeInt64Array(std::move(counts)), special.Finish(arrow::binary())},
                    n);
  }

 private:
  static void AppendSpecial(const NonFinite& counts, TextOutput* out) {
    if (!counts.any()) return out->AppendNull();
    out->Append({reinterpret_cast<const char*>(&counts), sizeof(counts)});
  }
};

}  // namespace

std::unique_ptr<OverFunction> MakeExactSumFunction(const OverCallPlan& call) {
  const AggregateFunction function = call.aggregate->function;
  if (function == AggregateFunction::kCountStar || function == AggregateFunction::kCount) {
    return std::make_unique<ExactSumFunction<void>>(call);
  }
  switch (call.arg_types[0].id) {
    case TypeId::kInt16:
      return std::make_unique<ExactSumFunction<int16_t>>(call);
    case TypeId::kInt32:
      return std::make_unique<ExactSumFunction<int32_t>>(call);
    case TypeId::kInt64:
      return std::make_unique<ExactSumFunction<int64_t>>(call);
    default:
      return std::make_unique<ExactSumFunction<__int128>>(call);
  }
}

std::unique_ptr<OverFunction> MakeFloatSumFunction(const OverCallPlan& call) {
  if (call.arg_types[0].id == TypeId::kFloat32) {
    return std::make_unique<FloatSumFunction<float>>(call);
  }
  return std::make_unique<FloatSumFunction<double>>(call);
}

}  // namespace millrace
