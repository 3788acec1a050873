#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "common/types/decimal.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/array_output.h"

namespace millrace {
namespace {

absl::Status SumOverflow(const SqlType& type) {
  if (type.is_numeric()) {
    return MakeError(SqlState::kNumericOutOfRange, "value overflows numeric format");
  }
  return MakeError(SqlState::kNumericOutOfRange, absl::StrCat(TypeName(type), " out of range"));
}

// sum / count in the scale `to_scale`, rounded half away from zero. False if it needs more than 38
// digits.
bool AverageDecimal(__int128 sum, int64_t count, int32_t from_scale, int32_t to_scale,
                    __int128* out) {
  if (to_scale < from_scale) {
    const int32_t drop = from_scale - to_scale;
    *out = DivideRounded(sum, __int128{count} * PowerOfTen(drop));
    return true;
  }
  // Whole part and remainder apart, so that the remainder can be scaled up without overflow.
  __int128 whole = 0;
  __int128 rest = 0;
  if (!RescaleDecimal(sum / count, from_scale, to_scale, &whole)) return false;
  if (!RescaleDecimal(sum % count, from_scale, to_scale, &rest)) return false;
  *out = whole + DivideRounded(rest, count);
  return FitsDecimal(*out);
}

// sum and avg of integers (Sum = int64_t or __int128) and numeric (__int128).
template <typename T, typename Sum>
class ExactSumAccumulator final : public Accumulator {
 public:
  explicit ExactSumAccumulator(const AccumulatorSpec& spec)
      : function_(spec.function),
        arg_type_(spec.arg_types[0]),
        type_(spec.type),
        scale_(arg_type_.is_numeric() ? arg_type_.scale : 0) {}

  void Resize(uint32_t num_groups) override { states_.Resize(num_groups, State{0, 0}); }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    return Add<T>(args[0].data<T>(), WithoutNulls(args[0], rows, &scratch_));
  }

  absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) override {
    AccumulatorRows unweighted = rows;
    unweighted.weights = nullptr;
    const Sum* sums = columns[0].data<Sum>();
    const int64_t* counts = columns[1].data<int64_t>();
    State* states = states_.data();
    bool overflow = false;
    ForEachRow(unweighted, [&, states](int64_t row, uint32_t group, auto) {
      overflow |= __builtin_add_overflow(states[group].sum, LoadAt(sums, row), &states[group].sum);
      states[group].count += counts[row];
    });
    return overflow ? SumOverflow(type_) : absl::OkStatus();
  }

  absl::Status Partial(absl::Span<const uint32_t> groups,
                       std::vector<std::shared_ptr<arrow::Array>>* columns) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<Sum> sums(n);
    FlatVector<int64_t> counts(n);
    bool fits = true;
    for (int64_t i = 0; i < n; ++i) {
      sums[i] = states_[groups[i]].sum;
      counts[i] = states_[groups[i]].count;
      if constexpr (sizeof(Sum) == 16) fits &= FitsDecimal(sums[i]);
    }
    if (!fits) return SumOverflow(type_);
    const SqlType sum_type = sizeof(Sum) == 8 ? SqlType::Of(TypeId::kInt64)
                                              : SqlType::Numeric(kMaxNumericPrecision, scale_);
    columns->push_back(MakeFixedArray(ToArrowType(sum_type), std::move(sums), NullBits(n)));
    columns->push_back(MakeInt64Array(std::move(counts)));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    if (type_.id == TypeId::kInt64) return IntegerResult(groups);
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<__int128> values(n);
    NullBits nulls(n);
    for (int64_t i = 0; i < n; ++i) {
      const State& state = states_[groups[i]];
      values[i] = 0;
      if (state.count == 0) {
        nulls.SetNull(i);
      } else if (!Finish(state, &values[i])) {
        return SumOverflow(type_);
      }
    }
    return MakeFixedArray(ToArrowType(type_), std::move(values), std::move(nulls));
  }

  void Retain(absl::Span<const uint32_t> survivors) override { states_.Retain(survivors); }
  int64_t bytes() const override { return states_.bytes(); }

 private:
  struct State {
    Sum sum;
    int64_t count;
  };

  template <typename Value>
  absl::Status Add(const Value* values, const AccumulatorRows& rows) {
    State* states = states_.data();
    bool overflow = false;
    ForEachRow(rows, [&overflow, states, values](int64_t row, uint32_t group, auto weight) {
      State& state = states[group];
      Sum value = LoadAt(values, row);
      if constexpr (std::is_same_v<decltype(weight), int64_t>) {
        overflow |= __builtin_mul_overflow(value, weight, &value);
      }
      overflow |= __builtin_add_overflow(state.sum, value, &state.sum);
      state.count += weight;
    });
    return overflow ? SumOverflow(type_) : absl::OkStatus();
  }

  bool Finish(const State& state, __int128* out) const {
    if (function_ == AggregateFunction::kAvg) {
      return AverageDecimal(state.sum, state.count, scale_, type_.scale, out);
    }
    return RescaleDecimal(state.sum, scale_, type_.scale, out) && FitsDecimal(*out);
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> IntegerResult(
      absl::Span<const uint32_t> groups) const {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<int64_t> values(n);
    NullBits nulls(n);
    for (int64_t i = 0; i < n; ++i) {
      const State& state = states_[groups[i]];
      values[i] = static_cast<int64_t>(state.sum);
      if (Sum{values[i]} != state.sum) return SumOverflow(type_);
      if (state.count == 0) nulls.SetNull(i);
    }
    return MakeFixedArray(arrow::int64(), std::move(values), std::move(nulls));
  }

  const AggregateFunction function_;
  const SqlType arg_type_;
  const SqlType type_;
  const int32_t scale_;
  FlatVector<State> states_;
  FlatVector<int32_t> scratch_;
};

// sum and avg of intervals: the three parts apart.
class IntervalSumAccumulator final : public Accumulator {
 public:
  explicit IntervalSumAccumulator(const AccumulatorSpec& spec) : spec_(spec) {}

  void Resize(uint32_t num_groups) override { states_.Resize(num_groups, State{}); }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    State* states = states_.data();
    const ColumnView& column = args[0];
    ForEachRow(WithoutNulls(column, rows, &scratch_),
               [&column, states](int64_t row, uint32_t group, auto weight) {
                 states[group].Add(column.Get<RawInterval>(row), weight);
                 states[group].count += weight;
               });
    return absl::OkStatus();
  }

  absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) override {
    State* states = states_.data();
    ForEachRow(rows, [&, states](int64_t row, uint32_t group, auto) {
      states[group].Add(columns[0].Get<RawInterval>(row), 1);
      states[group].count += columns[1].data<int64_t>()[row];
    });
    return absl::OkStatus();
  }

  absl::Status Partial(absl::Span<const uint32_t> groups,
                       std::vector<std::shared_ptr<arrow::Array>>* columns) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<RawInterval> sums(n);
    FlatVector<int64_t> counts(n);
    for (int64_t i = 0; i < n; ++i) {
      if (!Sum(states_[groups[i]], &sums[i])) return SumOverflow(spec_.type);
      counts[i] = states_[groups[i]].count;
    }
    columns->push_back(
        MakeFixedArray(ToArrowType(SqlType::Of(TypeId::kInterval)), std::move(sums), NullBits(n)));
    columns->push_back(MakeInt64Array(std::move(counts)));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<RawInterval> values(n);
    NullBits nulls(n);
    for (int64_t i = 0; i < n; ++i) {
      const State& state = states_[groups[i]];
      values[i] = RawInterval{};
      if (state.count == 0) {
        nulls.SetNull(i);
      } else if (spec_.function == AggregateFunction::kAvg) {
        values[i] = Average(state);
      } else if (!Sum(state, &values[i])) {
        return SumOverflow(spec_.type);
      }
    }
    return MakeFixedArray(ToArrowType(spec_.type), std::move(values), std::move(nulls));
  }

  void Retain(absl::Span<const uint32_t> survivors) override { states_.Retain(survivors); }
  int64_t bytes() const override { return states_.bytes(); }

 private:
  struct State {
    __int128 nanos = 0;
    int64_t months = 0;
    int64_t days = 0;
    int64_t count = 0;

    void Add(const RawInterval& value, int64_t weight) {
      months += value.months * weight;
      days += value.days * weight;
      nanos += __int128{value.nanos} * weight;
    }
  };

  static bool Sum(const State& state, RawInterval* out) {
    *out = {static_cast<int32_t>(state.months), static_cast<int32_t>(state.days),
            static_cast<int64_t>(state.nanos)};
    return out->months == state.months && out->days == state.days && out->nanos == state.nanos;
  }

  // What is left of months goes to days, what is left of days to the time, as PostgreSQL divides.
  static RawInterval Average(const State& state) {
    constexpr __int128 kDayNanos = __int128{86400} * 1000000000;
    const int64_t n = state.count;
    const int64_t months_rest = state.months % n;
    const __int128 days_scaled = __int128{state.days} + __int128{months_rest} * 30;
    const __int128 nanos_scaled = (days_scaled % n) * kDayNanos + state.nanos;
    // Microseconds are the resolution of an interval.
    const __int128 micros = DivideRounded(nanos_scaled, __int128{n} * 1000);
    return {static_cast<int32_t>(state.months / n), static_cast<int32_t>(days_scaled / n),
            static_cast<int64_t>(micros * 1000)};
  }

  const AccumulatorSpec spec_;
  FlatVector<State> states_;
  FlatVector<int32_t> scratch_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Accumulator>> MakeExactSumAccumulator(const AccumulatorSpec& spec) {
  switch (spec.arg_types[0].id) {
    case TypeId::kInt16:
      return std::make_unique<ExactSumAccumulator<int16_t, int64_t>>(spec);
    case TypeId::kInt32:
      return std::make_unique<ExactSumAccumulator<int32_t, int64_t>>(spec);
    case TypeId::kInt64:
      return std::make_unique<ExactSumAccumulator<int64_t, __int128>>(spec);
    case TypeId::kNumeric:
      return std::make_unique<ExactSumAccumulator<__int128, __int128>>(spec);
    case TypeId::kInterval:
      return std::make_unique<IntervalSumAccumulator>(spec);
    default:
      return NotSupported(absl::StrCat("sum of ", TypeName(spec.arg_types[0])));
  }
}

}  // namespace millrace
