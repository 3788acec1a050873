#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/compare.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

// How the values of one layout are read and ordered.
template <typename T>
struct NumberOrder {
  using Value = T;
  static T Load(const ColumnView& column, int64_t row) { return column.Get<T>(row); }
  static bool Less(const T& a, const T& b) { return a < b; }
};
template <typename T>
struct FloatOrder {
  using Value = T;
  // −0.0 and 0.0 are one value: which of them came first must not show.
  static T Load(const ColumnView& column, int64_t row) {
    return CanonicalFloat(column.Get<T>(row));
  }
  static bool Less(T a, T b) { return CompareFloats(a, b) < 0; }
};
struct BoolOrder {
  using Value = uint8_t;
  static uint8_t Load(const ColumnView& column, int64_t row) { return column.Bool(row) ? 1 : 0; }
  static bool Less(uint8_t a, uint8_t b) { return a < b; }
};
struct Uuid {
  uint8_t bytes[16];
};
struct UuidOrder {
  using Value = Uuid;
  static Uuid Load(const ColumnView& column, int64_t row) { return column.Get<Uuid>(row); }
  static bool Less(const Uuid& a, const Uuid& b) { return std::memcmp(a.bytes, b.bytes, 16) < 0; }
};
struct IntervalOrder {
  using Value = RawInterval;
  static RawInterval Load(const ColumnView& column, int64_t row) {
    return column.Get<RawInterval>(row);
  }
  // Equally long intervals are ordered by their parts, so that the result does not depend on the
  // order of rows.
  static bool Less(const RawInterval& a, const RawInterval& b) {
    if (const int order = CompareIntervals(a, b); order != 0) return order < 0;
    return std::memcmp(&a, &b, sizeof(a)) < 0;
  }
};

// min and max of fixed-width values.
template <typename Order>
class MinMaxAccumulator final : public Accumulator {
 public:
  using Value = typename Order::Value;

  explicit MinMaxAccumulator(const AccumulatorSpec& spec)
      : is_min_(spec.function == AggregateFunction::kMin), type_(spec.arg_types[0]) {}

  void Resize(uint32_t num_groups) override {
    values_.Resize(num_groups, Value{});
    present_.Resize(num_groups, 0);
  }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    const AccumulatorRows present = WithoutNulls(args[0], rows, &scratch_);
    if (is_min_) {
      Add<true>(args[0], present);
    } else {
      Add<false>(args[0], present);
    }
    return absl::OkStatus();
  }

  absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) override {
    return Update(columns, rows);
  }

  absl::Status Partial(absl::Span<const uint32_t> groups,
                       std::vector<std::shared_ptr<arrow::Array>>* columns) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<Value> values(n);
    NullBits nulls(n);
    for (int64_t i = 0; i < n; ++i) {
      values[i] = values_[groups[i]];
      if (present_[groups[i]] == 0) nulls.SetNull(i);
    }
    if constexpr (std::is_same_v<Order, BoolOrder>) {
      columns->push_back(MakeBoolArray(values, std::move(nulls)));
    } else {
      columns->push_back(MakeFixedArray(ToArrowType(type_), std::move(values), std::move(nulls)));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    std::vector<std::shared_ptr<arrow::Array>> columns;
    if (absl::Status status = Partial(groups, &columns); !status.ok()) return status;
    return columns[0];
  }

  void Retain(absl::Span<const uint32_t> survivors) override {
    values_.Retain(survivors);
    present_.Retain(survivors);
  }
  int64_t bytes() const override { return values_.bytes() + present_.bytes(); }

 private:
  template <bool kMin>
  void Add(const ColumnView& column, const AccumulatorRows& rows) {
    Value* values = values_.data();
    uint8_t* present = present_.data();
    ForEachRow(rows, [&column, values, present](int64_t row, uint32_t group, auto) {
      const Value value = Order::Load(column, row);
      const bool better =
          kMin ? Order::Less(value, values[group]) : Order::Less(values[group], value);
      if (better || present[group] == 0) values[group] = value;
      present[group] = 1;
    });
  }

  const bool is_min_;
  const SqlType type_;
  FlatVector<Value> values_;
  FlatVector<uint8_t> present_;
  FlatVector<int32_t> scratch_;
};

// min and max of text and bytea. A value is copied only when it becomes the best of its group, into
// one buffer for all groups.
class TextMinMaxAccumulator final : public Accumulator {
 public:
  explicit TextMinMaxAccumulator(const AccumulatorSpec& spec)
      : is_min_(spec.function == AggregateFunction::kMin), type_(spec.arg_types[0]) {}

  void Resize(uint32_t num_groups) override {
    if (num_groups > entries_.size()) entries_.Resize(num_groups, Entry{});
  }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    const ColumnView& column = args[0];
    ForEachRow(WithoutNulls(column, rows, &scratch_), [&](int64_t row, uint32_t group, auto) {
      const std::string_view value = column.Text(row);
      if (entries_[group].present) {
        const int order = CompareTexts(value, Best(group));
        if (is_min_ ? order >= 0 : order <= 0) return;
      }
      SetBest(group, value);
    });
    if (unused_bytes_ > kCompactBytesMin && unused_bytes_ * 2 > bytes_.size()) Compact();
    return absl::OkStatus();
  }

  absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) override {
    return Update(columns, rows);
  }

  absl::Status Partial(absl::Span<const uint32_t> groups,
                       std::vector<std::shared_ptr<arrow::Array>>* columns) const override {
    TextOutput out(static_cast<int64_t>(groups.size()));
    for (const uint32_t group : groups) {
      if (entries_[group].present) {
        out.Append(Best(group));
      } else {
        out.AppendNull();
      }
    }
    columns->push_back(out.Finish(ToArrowType(type_)));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    std::vector<std::shared_ptr<arrow::Array>> columns;
    if (absl::Status status = Partial(groups, &columns); !status.ok()) return status;
    return columns[0];
  }

  void Retain(absl::Span<const uint32_t> survivors) override {
    entries_.Retain(survivors);
    Compact();
  }
  int64_t bytes() const override { return entries_.bytes() + bytes_.bytes(); }

 private:
  // Fewer unused bytes are not worth moving the others.
  static constexpr int64_t kCompactBytesMin = 64 << 10;

  // The value lies at `begin`; a shorter one may take its place.
  struct Entry {
    int64_t begin = 0;
    uint32_t length = 0;
    uint32_t room = 0;
    bool present = false;
  };

  std::string_view Best(uint32_t group) const {
    return {bytes_.data() + entries_[group].begin, entries_[group].length};
  }

  void SetBest(uint32_t group, std::string_view value) {
    Entry& entry = entries_[group];
    const auto length = static_cast<uint32_t>(value.size());
    if (length > entry.room) {
      unused_bytes_ += entry.room;
      entry.begin = bytes_.size();
      entry.room = length;
      bytes_.Append(value.data(), length);
    } else if (length > 0) {
      std::memcpy(bytes_.data() + entry.begin, value.data(), length);
    }
    entry.length = length;
    entry.present = true;
  }

  void Compact() {
    FlatVector<char> kept;
    for (Entry& entry : entries_) {
      const int64_t begin = kept.size();
      if (entry.length > 0) kept.Append(bytes_.data() + entry.begin, entry.length);
      entry.begin = begin;
      entry.room = entry.length;
    }
    bytes_ = std::move(kept);
    unused_bytes_ = 0;
  }

  const bool is_min_;
  const SqlType type_;
  FlatVector<Entry> entries_;
  FlatVector<char> bytes_;
  // Of values that were replaced by longer ones.
  int64_t unused_bytes_ = 0;
  FlatVector<int32_t> scratch_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Accumulator>> MakeMinMaxAccumulator(const AccumulatorSpec& spec) {
  switch (LayoutOf(*ToArrowType(spec.arg_types[0]))) {
    case Layout::kBool:
      return std::make_unique<MinMaxAccumulator<BoolOrder>>(spec);
    case Layout::kInt16:
      return std::make_unique<MinMaxAccumulator<NumberOrder<int16_t>>>(spec);
    case Layout::kInt32:
      return std::make_unique<MinMaxAccumulator<NumberOrder<int32_t>>>(spec);
    case Layout::kInt64:
      return std::make_unique<MinMaxAccumulator<NumberOrder<int64_t>>>(spec);
    case Layout::kFloat32:
      return std::make_unique<MinMaxAccumulator<FloatOrder<float>>>(spec);
    case Layout::kFloat64:
      return std::make_unique<MinMaxAccumulator<FloatOrder<double>>>(spec);
    case Layout::kInt128:
      return std::make_unique<MinMaxAccumulator<NumberOrder<__int128>>>(spec);
    case Layout::kUuid:
      return std::make_unique<MinMaxAccumulator<UuidOrder>>(spec);
    case Layout::kInterval:
      return std::make_unique<MinMaxAccumulator<IntervalOrder>>(spec);
    case Layout::kBytes:
      return std::make_unique<TextMinMaxAccumulator>(spec);
    default:
      return NotSupported(absl::StrCat("min or max of ", TypeName(spec.arg_types[0])));
  }
}

}  // namespace millrace
