#include "arrow/array.h"
#include "arrow/type.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/array_output.h"

namespace millrace {
namespace {

// count(*) and count(x).
class CountAccumulator final : public Accumulator {
 public:
  void Resize(uint32_t num_groups) override { counts_.Resize(num_groups, 0); }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    const AccumulatorRows counted = args.empty() ? rows : WithoutNulls(args[0], rows, &scratch_);
    int64_t* counts = counts_.data();
    ForEachRow(counted,
               [counts](int64_t, uint32_t group, auto weight) { counts[group] += weight; });
    return absl::OkStatus();
  }

  absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) override {
    int64_t* counts = counts_.data();
    const int64_t* partial = columns[0].data<int64_t>();
    ForEachRow(rows, [=](int64_t row, uint32_t group, auto) { counts[group] += partial[row]; });
    return absl::OkStatus();
  }

  absl::Status Partial(absl::Span<const uint32_t> groups,
                       std::vector<std::shared_ptr<arrow::Array>>* columns) const override {
    FlatVector<int64_t> values(static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) values[i] = counts_[groups[i]];
    columns->push_back(MakeInt64Array(std::move(values)));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    std::vector<std::shared_ptr<arrow::Array>> columns;
    if (absl::Status status = Partial(groups, &columns); !status.ok()) return status;
    return columns[0];
  }

  void Retain(absl::Span<const uint32_t> survivors) override { counts_.Retain(survivors); }
  int64_t bytes() const override { return counts_.bytes(); }

 private:
  FlatVector<int64_t> counts_;
  FlatVector<int32_t> scratch_;
};

// bool_and and bool_or: how many values are true and how many false.
class BoolAccumulator final : public Accumulator {
 public:
  explicit BoolAccumulator(AggregateFunction function) : function_(function) {}

  void Resize(uint32_t num_groups) override { states_.Resize(num_groups, State{0, 0}); }

  absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) override {
    const ColumnView& column = args[0];
    State* states = states_.data();
    ForEachRow(WithoutNulls(column, rows, &scratch_),
               [&column, states](int64_t row, uint32_t group, auto weight) {
                 (column.Bool(row) ? states[group].num_true : states[group].num_false) += weight;
               });
    return absl::OkStatus();
  }

  absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) override {
    State* states = states_.data();
    ForEachRow(rows, [&, states](int64_t row, uint32_t group, auto) {
      states[group].num_true += columns[0].data<int64_t>()[row];
      states[group].num_false += columns[1].data<int64_t>()[row];
    });
    return absl::OkStatus();
  }

  absl::Status Partial(absl::Span<const uint32_t> groups,
                       std::vector<std::shared_ptr<arrow::Array>>* columns) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<int64_t> num_true(n);
    FlatVector<int64_t> num_false(n);
    for (int64_t i = 0; i < n; ++i) {
      num_true[i] = states_[groups[i]].num_true;
      num_false[i] = states_[groups[i]].num_false;
    }
    columns->push_back(MakeInt64Array(std::move(num_true)));
    columns->push_back(MakeInt64Array(std::move(num_false)));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const override {
    const auto n = static_cast<int64_t>(groups.size());
    FlatVector<uint8_t> values(n);
    NullBits nulls(n);
    for (int64_t i = 0; i < n; ++i) {
      const State& state = states_[groups[i]];
      const bool is_and = function_ == AggregateFunction::kBoolAnd;
      values[i] = (is_and ? state.num_false == 0 : state.num_true != 0) ? 1 : 0;
      if (state.num_true == 0 && state.num_false == 0) nulls.SetNull(i);
    }
    return MakeBoolArray(values, std::move(nulls));
  }

  void Retain(absl::Span<const uint32_t> survivors) override { states_.Retain(survivors); }
  int64_t bytes() const override { return states_.bytes(); }

 private:
  struct State {
    int64_t num_true;
    int64_t num_false;
  };
  const AggregateFunction function_;
  FlatVector<State> states_;
  FlatVector<int32_t> scratch_;
};

}  // namespace

std::unique_ptr<Accumulator> MakeCountAccumulator(const AccumulatorSpec&) {
  return std::make_unique<CountAccumulator>();
}

std::unique_ptr<Accumulator> MakeBoolAccumulator(const AccumulatorSpec& spec) {
  return std::make_unique<BoolAccumulator>(spec.function);
}

}  // namespace millrace
