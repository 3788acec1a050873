#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "arrow/type_fwd.h"
#include "common/expr/expr.h"
#include "common/types/sql_type.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/flat_vector.h"

namespace millrace {

// Which rows of a batch an accumulator takes, and where they go.
struct AccumulatorRows {
  // Rows to take, ascending; null = rows 0 … num_rows − 1.
  const int32_t* selected = nullptr;
  int64_t num_rows = 0;
  // Group of row i.
  const uint32_t* groups = nullptr;
  // Weight of row i; null = all +1.
  const int64_t* weights = nullptr;
};

// Calls f(row, group, weight) for each row. The weight is a constant where there are none, so that
// it costs nothing.
template <typename F>
void ForEachRow(const AccumulatorRows& rows, const F& f) {
  constexpr std::integral_constant<int64_t, 1> kOne{};
  const uint32_t* groups = rows.groups;
  const int64_t* weights = rows.weights;
  if (rows.selected == nullptr && weights == nullptr) {
    for (int64_t i = 0; i < rows.num_rows; ++i) f(i, groups[i], kOne);
  } else if (rows.selected == nullptr) {
    for (int64_t i = 0; i < rows.num_rows; ++i) f(i, groups[i], weights[i]);
  } else if (weights == nullptr) {
    for (int64_t k = 0; k < rows.num_rows; ++k) {
      const int64_t i = rows.selected[k];
      f(i, groups[i], kOne);
    }
  } else {
    for (int64_t k = 0; k < rows.num_rows; ++k) {
      const int64_t i = rows.selected[k];
      f(i, groups[i], weights[i]);
    }
  }
}

// The rows of `rows` whose value in `column` is not NULL; `scratch` holds the list if one is
// needed.
AccumulatorRows WithoutNulls(const ColumnView& column, const AccumulatorRows& rows,
                             FlatVector<int32_t>* scratch);

// The state of one aggregate for all groups, in flat columns by group id. Not thread-safe.
class Accumulator {
 public:
  virtual ~Accumulator() = default;
  // Makes room for groups up to `num_groups` − 1; new ones are empty.
  virtual void Resize(uint32_t num_groups) = 0;
  // Adds rows (or takes them back, by weight). One view for each argument.
  virtual absl::Status Update(absl::Span<const ColumnView> args, const AccumulatorRows& rows) = 0;
  // Adds accumulator columns that Partial made; weights do not count.
  virtual absl::Status Merge(absl::Span<const ColumnView> columns, const AccumulatorRows& rows) = 0;
  // Appends the accumulator columns of common/plan/partial_columns.h for some groups.
  virtual absl::Status Partial(absl::Span<const uint32_t> groups,
                               std::vector<std::shared_ptr<arrow::Array>>* columns) const = 0;
  virtual absl::StatusOr<std::shared_ptr<arrow::Array>> Result(
      absl::Span<const uint32_t> groups) const = 0;
  // survivors[i] (ascending) becomes group i.
  virtual void Retain(absl::Span<const uint32_t> survivors) = 0;
  virtual int64_t bytes() const = 0;

  // Accumulators that keep every value of a group write it to the state store value by value (I11),
  // not as accumulator columns.
  using DetailVisitor =
      absl::FunctionRef<void(uint32_t group, std::string_view value, int64_t count)>;
  virtual bool has_details() const { return false; }
  // Visits what has changed since the last call, with the new count (0 = gone).
  virtual void TakeChangedDetails(DetailVisitor) {}
  virtual void RestoreDetail(uint32_t /*group*/, std::string_view /*value*/, int64_t /*count*/) {}
};

// What an accumulator is made for.
struct AccumulatorSpec {
  AggregateFunction function = AggregateFunction::kCountStar;
  std::vector<SqlType> arg_types;
  // Of the result.
  SqlType type;
  // Rows may be taken back.
  bool changing = false;
  // Equal values count once. Only accumulators that keep all values look at it; for others equal
  // values are kept away.
  bool distinct = false;
};

// 0A000 for functions over types that have none.
absl::StatusOr<std::unique_ptr<Accumulator>> MakeAccumulator(const AccumulatorSpec& spec);

// The families behind MakeAccumulator.
std::unique_ptr<Accumulator> MakeCountAccumulator(const AccumulatorSpec& spec);
std::unique_ptr<Accumulator> MakeBoolAccumulator(const AccumulatorSpec& spec);
absl::StatusOr<std::unique_ptr<Accumulator>> MakeExactSumAccumulator(const AccumulatorSpec& spec);
std::unique_ptr<Accumulator> MakeFloatSumAccumulator(const AccumulatorSpec& spec);
std::unique_ptr<Accumulator> MakeFloatVarianceAccumulator(const AccumulatorSpec& spec);
std::unique_ptr<Accumulator> MakeExactVarianceAccumulator(const AccumulatorSpec& spec);
absl::StatusOr<std::unique_ptr<Accumulator>> MakeMinMaxAccumulator(const AccumulatorSpec& spec);
std::unique_ptr<Accumulator> MakeMultisetAccumulator(const AccumulatorSpec& spec);

}  // namespace millrace
