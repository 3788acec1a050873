#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/kernel.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/order_encoding.h"
#include "worker/kernels/ordered_multiset.h"

namespace millrace {
namespace {

// Aggregates that must know all values of a group: min and max where rows are taken back,
// string_agg, single_value. Values are encoded so that their bytes order as they do.
//
// string_agg joins the values in their order, because the order of rows depends on how a query is
// spread.
class MultisetAccumulator final : public Accumulator {
 public:
  explicit MultisetAccumulator(const AccumulatorSpec& spec)
      : spec_(spec),
        values_(spec.function == AggregateFunction::kMax ? OrderedMultiset::First::kLargest
                                                         : OrderedMultiset::First::kSmallest,
                spec.changing) {}

  void Resize(uint32_t num_groups) override { values_.Resize(num_groups); }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    // A scalar subquery counts its row also where the value is NULL.
    const bool with_nulls = spec_.function == AggregateFunction::kSingleValue;
    const AccumulatorRows taken = with_nulls ? rows : WithoutNulls(args[0], rows, &scratch_);
    values_.Begin();
    ForEachRow(taken, [&](int64_t row, uint32_t group, auto weight) {
      AppendValue(args, row, values_.bytes_of_next(group));
      values_.End(weight);
    });
    values_.Apply();
    if (spec_.function != AggregateFunction::kSingleValue || spec_.changing) {
      return absl::OkStatus();
    }
    return CheckSingle(taken);
  }

  absl::Status Merge(absl::Span<const ColumnView>, const AccumulatorRows&) override {
    return InternalError("an aggregate that keeps all values has no partial phase");
  }
  absl::Status Partial(absl::Span<const uint32_t>,
                       std::vector<std::shared_ptr<arrow::Array>>*) const override {
    return InternalError("an aggregate that keeps all values has no partial phase");
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    if (spec_.function == AggregateFunction::kStringAgg) return JoinedTexts(groups);
    std::vector<std::string_view> values;
    values.reserve(groups.size());
    for (const uint32_t group : groups) {
      const uint32_t first = values_.FirstOf(group);
      if (first == OrderedMultiset::kNone) {
        values.emplace_back();
        continue;
      }
      if (spec_.function == AggregateFunction::kSingleValue && !values_.IsSingle(group)) {
        return NotSingle();
      }
      // A one-byte prefix tells a NULL from a value.
      const std::string_view value = values_.value(first);
      values.push_back(value[0] == kIsNull ? std::string_view() : value.substr(1));
    }
    return DecodeOrdered(spec_.arg_types[0], values);
  }

  void Retain(absl::Span<const uint32_t> survivors) override { values_.Retain(survivors); }
  int64_t bytes() const override { return values_.bytes(); }

  bool has_details() const override { return true; }
  void TakeChangedDetails(DetailVisitor visit) override { values_.TakeChanged(visit); }
  void RestoreDetail(uint32_t group, std::string_view value, int64_t count) override {
    values_.Restore(group, value, count);
  }

 private:
  static constexpr char kIsValue = 0;
  // Behind all values: min and max never see it, string_agg has none.
  static constexpr char kIsNull = 1;

  void AppendValue(absl::Span<const ColumnView> args, int64_t row, std::string* out) const {
    const bool is_null = args[0].IsNull(row);
    out->push_back(is_null ? kIsNull : kIsValue);
    if (is_null) return;
    const size_t begin = out->size();
    AppendOrdered(args[0], row, out);
    if (spec_.function == AggregateFunction::kStringAgg) {
      // Value, end marker, delimiter. Text holds no zero byte; for bytea the marker only orders.
      const auto length = static_cast<uint32_t>(out->size() - begin);
      out->push_back('\0');
      if (!args[1].IsNull(row)) out->append(args[1].Text(row));
      out->append(reinterpret_cast<const char*>(&length), sizeof(length));
    }
  }

  absl::Status CheckSingle(const AccumulatorRows& rows) const {
    bool single = true;
    ForEachRow(rows, [&](int64_t, uint32_t group, auto) { single &= values_.IsSingle(group); });
    return single ? absl::OkStatus() : NotSingle();
  }
  static absl::Status NotSingle() {
    return MakeError(SqlState::kCardinalityViolation,
                     "more than one row returned by a subquery used as an expression");
  }

  // What AppendValue has encoded.
  struct TextAndDelimiter {
    std::string_view text;
    std::string_view delimiter;
  };
  static TextAndDelimiter Decoded(std::string_view encoded) {
    uint32_t length = 0;
    const size_t length_begin = encoded.size() - sizeof(length);
    std::memcpy(&length, encoded.data() + length_begin, sizeof(length));
    return {encoded.substr(1, length), encoded.substr(length + 2, length_begin - length - 2)};
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> JoinedTexts(
      absl::Span<const uint32_t> groups) const {
    TextOutput out(static_cast<int64_t>(groups.size()));
    std::vector<uint32_t> values;
    for (const uint32_t group : groups) {
      values.clear();
      values_.AppendValues(group, &values);
      // A text that many rows have is held once, so the state does not tell how long they are.
      MR_RETURN_IF_ERROR(CheckLength(values));
      AppendJoined(values, &out);
    }
    return out.Finish(ToArrowType(spec_.type));
  }

  void AppendJoined(absl::Span<const uint32_t> values, TextOutput* out) const {
    bool first = true;
    for (const uint32_t value : values) {
      const auto [text, delimiter] = Decoded(values_.value(value));
      for (int64_t times = TimesOf(value); times > 0; --times) {
        if (first) {
          out->Append(text);
        } else {
          out->Extend(delimiter);
          out->Extend(text);
        }
        first = false;
      }
    }
    if (first) out->AppendNull();
  }

  int64_t TimesOf(uint32_t value) const { return spec_.distinct ? 1 : values_.count(value); }

  absl::Status CheckLength(absl::Span<const uint32_t> values) const {
    // Not an integer: a count times a length may be too large for one.
    double bytes = 0;
    for (const uint32_t value : values) {
      const auto [text, delimiter] = Decoded(values_.value(value));
      bytes += static_cast<double>(std::max<int64_t>(0, TimesOf(value))) *
               static_cast<double>(text.size() + delimiter.size());
    }
    if (bytes <= static_cast<double>(kArrayTextBytesMax)) return absl::OkStatus();
    return MakeError(SqlState::kProgramLimitExceeded,
                     absl::StrCat("string_agg would make more than ", kArrayTextBytesMax >> 20,
                                  " MiB of text in one group"));
  }

  const AccumulatorSpec spec_;
  OrderedMultiset values_;
  FlatVector<int32_t> scratch_;
};

}  // namespace

std::unique_ptr<Accumulator> MakeMultisetAccumulator(const AccumulatorSpec& spec) {
  return std::make_unique<MultisetAccumulator>(spec);
}

}  // namespace millrace
