#include <algorithm>
#include <cmath>

#include "arrow/array.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "common/types/decimal.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/wide_integer.h"

namespace millrace {
namespace {

using Wide = arrow::BasicDecimal256;

Wide WidePowerOfTen(int exponent) {
  Wide power(1);
  for (int i = 0; i < exponent; ++i) power *= Wide(10);
  return power;
}

Wide ToWide(__int128 value) {
  return Wide(
      arrow::BasicDecimal128(static_cast<int64_t>(value >> 64), static_cast<uint64_t>(value)));
}

Wide Minus(const Wide& a, Wide b) {
  b.Negate();
  return a + b;
}

double ToDouble(const Wide& value) {
  const auto words = value.little_endian_array();
  double result = static_cast<double>(static_cast<int64_t>(words[3]));
  for (int i = 2; i >= 0; --i) result = result * 0x1p64 + static_cast<double>(words[i]);
  return result;
}

// Bits of a value that is not negative.
int BitLength(const Wide& value) {
  const auto words = value.little_endian_array();
  for (int i = 3; i >= 0; --i) {
    if (words[i] != 0) return 64 * i + 64 - __builtin_clzll(words[i]);
  }
  return 0;
}

// round(√value), by Newton's method from above.
Wide RoundedRoot(const Wide& value) {
  if (BitLength(value) == 0) return Wide(0);
  Wide root(1);
  root <<= (BitLength(value) + 1) / 2;
  for (;;) {
    Wide next = root + value / root;
    next >>= 1;
    if (!(next < root)) break;
    root = next;
  }
  // (root + ½)² = root² + root + ¼ decides the rounding.
  if (Minus(value, root * root) > root) root += Wide(1);
  return root;
}

Wide DivideWideRounded(const Wide& a, const Wide& b) {
  Wide quotient;
  Wide rest;
  a.Divide(b, &quotient, &rest);
  if (!(rest + rest < b)) quotient += Wide(1);
  return quotient;
}

// Variances of integers and numeric, exact up to the last rounding: Σx and Σx² as integers.
class ExactVarianceAccumulator final : public Accumulator {
 public:
  explicit ExactVarianceAccumulator(const AccumulatorSpec& spec)
      : function_(spec.function), type_(spec.type) {
    scale_ = spec.arg_types[0].is_numeric() ? spec.arg_types[0].scale : 0;
  }

  void Resize(uint32_t num_groups) override { states_.Resize(num_groups, State{}); }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    const AccumulatorRows present = WithoutNulls(args[0], rows, &scratch_);
    switch (args[0].layout) {
      case Layout::kInt16:
        Add<int16_t>(args[0], present);
        break;
      case Layout::kInt32:
        Add<int32_t>(args[0], present);
        break;
      case Layout::kInt64:
        Add<int64_t>(args[0], present);
        break;
      default:
        Add<__int128>(args[0], present);
    }
    return absl::OkStatus();
  }

  absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) override {
    bool valid = true;
    ForEachRow(rows, [&](int64_t row, uint32_t group, auto) {
      State& state = states_[group];
      state.count += columns[0].data<int64_t>()[row];
      state.sum += columns[1].Get<__int128>(row);
      const std::string_view encoded = columns[2].IsNull(row) ? "" : columns[2].Text(row);
      Int256 squares;
      valid &= encoded.size() == sizeof(squares.words);
      std::memcpy(squares.words, encoded.data(), std::min(encoded.size(), sizeof(squares.words)));
      state.squares.Add(squares);
    });
    return valid ? absl::OkStatus() : InternalError("accumulator column has a wrong form");
  }

  absl::Status Partial(absl::Span<const uint32_t> groups,
                       std::vector<std::shared_ptr<arrow::Array>>* columns) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<int64_t> counts(n);
    FlatVector<__int128> sums(n);
    TextOutput squares(n);
    for (int64_t i = 0; i < n; ++i) {
      const State& state = states_[groups[i]];
      counts[i] = state.count;
      sums[i] = state.sum;
      if (!FitsDecimal(state.sum)) return Overflow();
      squares.Append({reinterpret_cast<const char*>(state.squares.words), sizeof(Int256::words)});
    }
    columns->push_back(MakeInt64Array(std::move(counts)));
    columns->push_back(MakeFixedArray(ToArrowType(SqlType::Numeric(kMaxNumericPrecision, scale_)),
                                      std::move(sums), NullBits(n)));
    columns->push_back(squares.Finish(arrow::binary()));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<__int128> exact(n);
    FlatVector<double> approximate(n);
    NullBits nulls(n);
    for (int64_t i = 0; i < n; ++i) {
      const State& state = states_[groups[i]];
      exact[i] = 0;
      approximate[i] = 0;
      if (state.count < (is_sample() ? 2 : 1)) {
        nulls.SetNull(i);
      } else if (type_.is_float()) {
        approximate[i] = FloatValue(state);
      } else if (!NumericValue(state, &exact[i])) {
        return Overflow();
      }
    }
    if (!type_.is_float()) {
      return MakeFixedArray(ToArrowType(type_), std::move(exact), std::move(nulls));
    }
    return MakeFixedArray(arrow::float64(), std::move(approximate), std::move(nulls));
  }

  void Retain(absl::Span<const uint32_t> survivors) override { states_.Retain(survivors); }
  int64_t bytes() const override { return states_.bytes(); }

 private:
  struct State {
    __int128 sum = 0;
    Int256 squares;
    int64_t count = 0;
  };

  bool is_sample() const {
    return function_ == AggregateFunction::kVarSamp || function_ == AggregateFunction::kStddevSamp;
  }
  bool is_root() const {
    return function_ == AggregateFunction::kStddevSamp ||
           function_ == AggregateFunction::kStddevPop;
  }
  absl::Status Overflow() const {
    return MakeError(SqlState::kNumericOutOfRange, "value overflows numeric format");
  }

  template <typename T>
  void Add(const ColumnView& column, const AccumulatorRows& rows) {
    State* states = states_.data();
    ForEachRow(rows, [&column, states](int64_t row, uint32_t group, auto weight) {
      const __int128 value = column.Get<T>(row);
      State& state = states[group];
      state.count += weight;
      state.sum += value * weight;
      state.squares.Add(Int256::Square(value, weight));
    });
  }

  // n·Σx² − (Σx)², which is the variance times `divisor`, at twice the scale of the values.
  Wide Numerator(const State& state, Wide* divisor) const {
    const Wide count = ToWide(state.count);
    *divisor = count * (is_sample() ? Minus(count, Wide(1)) : count);
    return Minus(count * state.squares.ToDecimal(), Int256::Square(state.sum, 1).ToDecimal());
  }

  double FloatValue(const State& state) const {
    Wide divisor;
    const double numerator = ToDouble(Numerator(state, &divisor));
    const double variance = numerator / ToDouble(divisor) / std::pow(10.0, 2 * scale_);
    return is_root() ? std::sqrt(variance) : variance;
  }

  bool NumericValue(const State& state, __int128* out) const {
    Wide divisor;
    Wide numerator = Numerator(state, &divisor);
    // A root of scale s is taken of a number of scale 2s.
    int grow = (is_root() ? 2 * type_.scale : type_.scale) - 2 * scale_;
    // Digits that do not fit in 256 bits are zeros behind the rounded end of a huge number.
    int dropped = 0;
    while (grow > 0 && BitLength(numerator) + (grow * 10 + 2) / 3 > 250) {
      grow -= is_root() ? 2 : 1;
      dropped += 1;
    }
    if (grow > 0) numerator *= WidePowerOfTen(grow);
    if (grow < 0) divisor *= WidePowerOfTen(-grow);
    Wide value = DivideWideRounded(numerator, divisor);
    if (is_root()) value = RoundedRoot(value);
    if (BitLength(value) > 127) return false;
    const auto words = value.little_endian_array();
    const auto low =
        static_cast<__int128>((static_cast<unsigned __int128>(words[1]) << 64) | words[0]);
    return RescaleDecimal(low, 0, dropped, out) && FitsDecimal(*out);
  }

  const AggregateFunction function_;
  const SqlType type_;
  int32_t scale_ = 0;
  FlatVector<State> states_;
  FlatVector<int32_t> scratch_;
};

}  // namespace

std::unique_ptr<Accumulator> MakeExactVarianceAccumulator(const AccumulatorSpec& spec) {
  return std::make_unique<ExactVarianceAccumulator>(spec);
}

}  // namespace millrace
