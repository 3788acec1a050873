#include "arrow/array.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/float_parts.h"

namespace millrace {
namespace {

absl::Status FloatOverflow() {
  return MakeError(SqlState::kNumericOutOfRange, "value out of range: overflow");
}

// A float8 or float4 column.
std::shared_ptr<arrow::Array> MakeFloatColumn(const SqlType& type, FlatVector<double> values,
                                              NullBits nulls) {
  if (type.id != TypeId::kFloat32) {
    return MakeFixedArray(arrow::float64(), std::move(values), std::move(nulls));
  }
  FlatVector<float> narrow(values.size());
  for (int64_t i = 0; i < values.size(); ++i) narrow[i] = static_cast<float>(values[i]);
  return MakeFixedArray(arrow::float32(), std::move(narrow), std::move(nulls));
}

// sum and avg of float4 and float8.
template <typename T>
class FloatSumAccumulator final : public Accumulator {
 public:
  explicit FloatSumAccumulator(const AccumulatorSpec& spec)
      : function_(spec.function), type_(spec.type) {}

  void Resize(uint32_t num_groups) override { states_.Resize(num_groups, State{}); }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    State* states = states_.data();
    const T* values = args[0].data<T>();
    ForEachRow(WithoutNulls(args[0], rows, &scratch_),
               [this, states, values](int64_t row, uint32_t group, auto weight) {
                 const double value = values[row];
                 states[group].count += weight;
                 if (std::isfinite(value)) [[likely]] {
                   states[group].sum.Add(value * static_cast<double>(int64_t{weight}));
                 } else {
                   non_finite_.Add(group, value, weight);
                 }
               });
    return absl::OkStatus();
  }

  absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) override {
    State* states = states_.data();
    const ColumnView& special = columns[2];
    ForEachRow(rows, [&, states](int64_t row, uint32_t group, auto) {
      states[group].sum.Add(columns[0].data<double>()[row]);
      states[group].count += columns[1].data<int64_t>()[row];
      if (!special.IsNull(row)) non_finite_.Merge(group, special.Text(row));
    });
    return absl::OkStatus();
  }

  absl::Status Partial(absl::Span<const uint32_t> groups,
                       std::vector<std::shared_ptr<arrow::Array>>* columns) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<double> sums(n);
    FlatVector<int64_t> counts(n);
    TextOutput special(n);
    for (int64_t i = 0; i < n; ++i) {
      sums[i] = states_[groups[i]].sum.value();
      counts[i] = states_[groups[i]].count;
      if (std::isinf(sums[i])) return FloatOverflow();
      non_finite_.AppendEncoded(groups[i], &special);
    }
    columns->push_back(MakeFixedArray(arrow::float64(), std::move(sums), NullBits(n)));
    columns->push_back(MakeInt64Array(std::move(counts)));
    columns->push_back(special.Finish(arrow::binary()));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<double> values(n);
    NullBits nulls(n);
    bool overflow = false;
    for (int64_t i = 0; i < n; ++i) {
      const State& state = states_[groups[i]];
      const NonFinite special = non_finite_.Of(groups[i]);
      if (state.count == 0) nulls.SetNull(i);
      values[i] = state.count == 0 ? 0 : state.sum.value();
      // An infinity that no value was.
      overflow |= !special.any() && !std::isfinite(static_cast<T>(values[i]));
      if (special.any()) values[i] = special.sum();
      if (function_ == AggregateFunction::kAvg && state.count != 0) {
        values[i] /= static_cast<double>(state.count);
      }
    }
    if (overflow) return FloatOverflow();
    return MakeFloatColumn(type_, std::move(values), std::move(nulls));
  }

  void Retain(absl::Span<const uint32_t> survivors) override {
    states_.Retain(survivors);
    non_finite_.Retain(survivors);
  }
  int64_t bytes() const override { return states_.bytes() + non_finite_.bytes(); }

 private:
  struct State {
    CompensatedSum sum;
    int64_t count = 0;
  };
  const AggregateFunction function_;
  const SqlType type_;
  FlatVector<State> states_;
  NonFiniteCounts non_finite_;
  FlatVector<int32_t> scratch_;
};

// Variances of floats: mean and sum of squared distances from it, updated row by row (Welford) and
// merged pairwise (Chan, Golub, LeVeque 1983).
template <typename T>
class FloatVarianceAccumulator final : public Accumulator {
 public:
  explicit FloatVarianceAccumulator(const AccumulatorSpec& spec)
      : function_(spec.function), type_(spec.type) {}

  void Resize(uint32_t num_groups) override { states_.Resize(num_groups, State{}); }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    const T* values = args[0].data<T>();
    ForEachRow(WithoutNulls(args[0], rows, &scratch_),
               [this, values](int64_t row, uint32_t group, auto weight) {
                 const double value = values[row];
                 if (std::isfinite(value)) [[likely]] {
                   states_[group].Add(State{int64_t{weight}, value, 0});
                 } else {
                   non_finite_.Add(group, value, weight);
                 }
               });
    return absl::OkStatus();
  }

  absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) override {
    const ColumnView& special = columns[3];
    ForEachRow(rows, [&](int64_t row, uint32_t group, auto) {
      int64_t count = columns[0].data<int64_t>()[row];
      if (!special.IsNull(row)) {
        NonFiniteCounts other;
        other.Merge(0, special.Text(row));
        const NonFinite counts = other.Of(0);
        // The column counts all values, the state the finite ones.
        count -= counts.nan + counts.positive + counts.negative;
        non_finite_.Merge(group, special.Text(row));
      }
      states_[group].Add(
          State{count, columns[1].data<double>()[row], columns[2].data<double>()[row]});
    });
    return absl::OkStatus();
  }

  absl::Status Partial(absl::Span<const uint32_t> groups,
                       std::vector<std::shared_ptr<arrow::Array>>* columns) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<int64_t> counts(n);
    FlatVector<double> means(n);
    FlatVector<double> squares(n);
    TextOutput special(n);
    for (int64_t i = 0; i < n; ++i) {
      const State& state = states_[groups[i]];
      const NonFinite other = non_finite_.Of(groups[i]);
      counts[i] = state.count + other.nan + other.positive + other.negative;
      means[i] = state.mean;
      squares[i] = state.squares;
      non_finite_.AppendEncoded(groups[i], &special);
    }
    columns->push_back(MakeInt64Array(std::move(counts)));
    columns->push_back(MakeFixedArray(arrow::float64(), std::move(means), NullBits(n)));
    columns->push_back(MakeFixedArray(arrow::float64(), std::move(squares), NullBits(n)));
    columns->push_back(special.Finish(arrow::binary()));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<double> values(n);
    NullBits nulls(n);
    const bool sample =
        function_ == AggregateFunction::kVarSamp || function_ == AggregateFunction::kStddevSamp;
    const bool root =
        function_ == AggregateFunction::kStddevPop || function_ == AggregateFunction::kStddevSamp;
    for (int64_t i = 0; i < n; ++i) {
      const State& state = states_[groups[i]];
      const NonFinite other = non_finite_.Of(groups[i]);
      const int64_t count = state.count + other.nan + other.positive + other.negative;
      values[i] = 0;
      if (count < (sample ? 2 : 1)) {
        nulls.SetNull(i);
        continue;
      }
      // Taking rows back may leave a rounding error below zero.
      const double squares = state.squares > 0 ? state.squares : 0;
      const double variance =
          other.any() ? std::nan("") : squares / static_cast<double>(sample ? count - 1 : count);
      values[i] = root ? std::sqrt(variance) : variance;
    }
    return MakeFloatColumn(type_, std::move(values), std::move(nulls));
  }

  void Retain(absl::Span<const uint32_t> survivors) override {
    states_.Retain(survivors);
    non_finite_.Retain(survivors);
  }
  int64_t bytes() const override { return states_.bytes() + non_finite_.bytes(); }

 private:
  struct State {
    int64_t count = 0;
    double mean = 0;
    double squares = 0;

    // `other.count` may be negative: then its values are taken back.
    void Add(const State& other) {
      const int64_t total = count + other.count;
      if (total == 0) {
        *this = State{};
        return;
      }
      const auto here = static_cast<double>(count);
      const auto there = static_cast<double>(other.count);
      const double delta = other.mean - mean;
      squares += other.squares + delta * delta * here * there / static_cast<double>(total);
      mean += delta * there / static_cast<double>(total);
      count = total;
    }
  };
  const AggregateFunction function_;
  const SqlType type_;
  FlatVector<State> states_;
  NonFiniteCounts non_finite_;
  FlatVector<int32_t> scratch_;
};

}  // namespace

std::unique_ptr<Accumulator> MakeFloatSumAccumulator(const AccumulatorSpec& spec) {
  if (spec.arg_types[0].id == TypeId::kFloat32) {
    return std::make_unique<FloatSumAccumulator<float>>(spec);
  }
  return std::make_unique<FloatSumAccumulator<double>>(spec);
}

std::unique_ptr<Accumulator> MakeFloatVarianceAccumulator(const AccumulatorSpec& spec) {
  if (spec.arg_types[0].id == TypeId::kFloat32) {
    return std::make_unique<FloatVarianceAccumulator<float>>(spec);
  }
  return std::make_unique<FloatVarianceAccumulator<double>>(spec);
}

}  // namespace millrace
