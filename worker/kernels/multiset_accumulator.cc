#include <map>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/order_encoding.h"

namespace millrace {
namespace {

// Aggregates that must know all values of a group: min and max where rows are taken back,
// string_agg, single_value. The values of all groups lie in one ordered map, encoded so that their
// bytes order as they do, with their multiplicity.
//
// string_agg joins the values in their order, because the order of rows depends on how a query is
// spread.
class MultisetAccumulator final : public Accumulator {
 public:
  explicit MultisetAccumulator(const AccumulatorSpec& spec) : spec_(spec) {}

  void Resize(uint32_t) override {}

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    // A scalar subquery counts its row also where the value is NULL.
    const bool with_nulls = spec_.function == AggregateFunction::kSingleValue;
    const AccumulatorRows taken = with_nulls ? rows : WithoutNulls(args[0], rows, &scratch_);
    ForEachRow(taken, [&](int64_t row, uint32_t group, auto weight) {
      EncodeValue(args, row);
      Change({group, encoded_}, weight);
    });
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
      const auto found = Find(group);
      if (found == values_.end()) {
        values.emplace_back();
        continue;
      }
      if (spec_.function == AggregateFunction::kSingleValue && !IsSingle(group)) return NotSingle();
      // A one-byte prefix tells a NULL from a value.
      const std::string_view value = found->first.second;
      values.push_back(value[0] == kIsNull ? std::string_view() : value.substr(1));
    }
    return DecodeOrdered(spec_.arg_types[0], values);
  }

  void Retain(absl::Span<const uint32_t> survivors) override {
    Values kept;
    Changed changed;
    uint32_t next = 0;
    for (const uint32_t group : survivors) {
      for (auto i = values_.lower_bound(KeyView{group, {}});
           i != values_.end() && i->first.first == group; ++i) {
        kept.emplace_hint(kept.end(), Key{next, i->first.second}, i->second);
      }
      for (auto i = changed_.lower_bound(KeyView{group, {}});
           i != changed_.end() && i->first == group; ++i) {
        changed.emplace_hint(changed.end(), next, i->second);
      }
      ++next;
    }
    values_ = std::move(kept);
    changed_ = std::move(changed);
    bytes_ = 0;
    for (const auto& [key, count] : values_) bytes_ += BytesOf(key);
  }

  int64_t bytes() const override { return bytes_; }

  bool has_details() const override { return true; }
  void TakeChangedDetails(DetailVisitor visit) override {
    for (const Key& key : changed_) {
      const auto found = values_.find(key);
      visit(key.first, key.second, found == values_.end() ? 0 : found->second);
    }
    changed_.clear();
  }
  void RestoreDetail(uint32_t group, std::string_view value, int64_t count) override {
    Key key{group, std::string(value)};
    bytes_ += BytesOf(key);
    values_[std::move(key)] = count;
  }

 private:
  using Key = std::pair<uint32_t, std::string>;
  // Finds a key without a copy of its bytes.
  using KeyView = std::pair<uint32_t, std::string_view>;
  struct KeyLess {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      if (a.first != b.first) return a.first < b.first;
      return std::string_view(a.second) < std::string_view(b.second);
    }
  };
  using Values = absl::btree_map<Key, int64_t, KeyLess>;
  using Changed = absl::btree_set<Key, KeyLess>;
  static constexpr char kIsValue = 0;
  // Behind all values: min and max never see it, string_agg has none.
  static constexpr char kIsNull = 1;

  static int64_t BytesOf(const Key& key) {
    return static_cast<int64_t>(key.second.size()) + int64_t{48};
  }

  // Into encoded_.
  void EncodeValue(absl::Span<const ColumnView> args, int64_t row) {
    const bool is_null = args[0].IsNull(row);
    encoded_.assign(1, is_null ? kIsNull : kIsValue);
    if (is_null) return;
    AppendOrdered(args[0], row, &encoded_);
    if (spec_.function == AggregateFunction::kStringAgg) {
      // Value, end marker, delimiter. Text holds no zero byte; for bytea the marker only orders.
      const auto length = static_cast<uint32_t>(encoded_.size() - 1);
      encoded_.push_back('\0');
      if (!args[1].IsNull(row)) encoded_.append(args[1].Text(row));
      encoded_.append(reinterpret_cast<const char*>(&length), sizeof(length));
    }
  }

  void Change(KeyView key, int64_t weight) {
    auto at = values_.find(key);
    if (at == values_.end()) {
      at = values_.try_emplace(Key(key), 0).first;
      bytes_ += BytesOf(at->first);
    }
    at->second += weight;
    if (spec_.changing && !changed_.contains(key)) changed_.insert(Key(key));
    if (at->second != 0) return;
    bytes_ -= BytesOf(at->first);
    values_.erase(at);
  }

  // The value that counts of a group: the first, or the last for max.
  Values::const_iterator Find(uint32_t group) const {
    if (spec_.function == AggregateFunction::kMax) {
      auto at = values_.lower_bound(KeyView{group + 1, {}});
      if (at == values_.begin()) return values_.end();
      --at;
      return at->first.first == group ? at : values_.end();
    }
    const auto at = values_.lower_bound(KeyView{group, {}});
    return at != values_.end() && at->first.first == group ? at : values_.end();
  }

  bool IsSingle(uint32_t group) const {
    const auto first = Find(group);
    if (first == values_.end()) return true;
    const auto second = std::next(first);
    return first->second == 1 && (second == values_.end() || second->first.first != group);
  }
  absl::Status CheckSingle(const AccumulatorRows& rows) const {
    bool single = true;
    ForEachRow(rows, [&](int64_t, uint32_t group, auto) { single &= IsSingle(group); });
    return single ? absl::OkStatus() : NotSingle();
  }
  static absl::Status NotSingle() {
    return MakeError(SqlState::kCardinalityViolation,
                     "more than one row returned by a subquery used as an expression");
  }

  std::shared_ptr<arrow::Array> JoinedTexts(absl::Span<const uint32_t> groups) const {
    TextOutput out(static_cast<int64_t>(groups.size()));
    std::string joined;
    for (const uint32_t group : groups) {
      bool first = true;
      joined.clear();
      for (auto i = values_.lower_bound(KeyView{group, {}});
           i != values_.end() && i->first.first == group; ++i) {
        const std::string_view encoded = i->first.second;
        uint32_t length = 0;
        std::memcpy(&length, encoded.data() + encoded.size() - sizeof(length), sizeof(length));
        const std::string_view text = encoded.substr(1, length);
        const std::string_view delimiter =
            encoded.substr(length + 2, encoded.size() - length - 2 - sizeof(length));
        for (int64_t times = spec_.distinct ? 1 : i->second; times > 0; --times) {
          if (!first) joined.append(delimiter);
          joined.append(text);
          first = false;
        }
      }
      if (first) {
        out.AppendNull();
      } else {
        out.Append(joined);
      }
    }
    return out.Finish(ToArrowType(spec_.type));
  }

  const AccumulatorSpec spec_;
  Values values_;
  // Since the last checkpoint; kept only where rows may be taken back.
  Changed changed_;
  int64_t bytes_ = 0;
  FlatVector<int32_t> scratch_;
  std::string encoded_;
};

}  // namespace

std::unique_ptr<Accumulator> MakeMultisetAccumulator(const AccumulatorSpec& spec) {
  return std::make_unique<MultisetAccumulator>(spec);
}

}  // namespace millrace
