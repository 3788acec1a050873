#include "worker/kernels/accumulator.h"

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {

AccumulatorRows WithoutNulls(const ColumnView& column, const AccumulatorRows& rows,
                             FlatVector<int32_t>* scratch) {
  if (!column.nullable()) return rows;
  scratch->ResizeUninitialized(rows.num_rows);
  int64_t kept = 0;
  for (int64_t k = 0; k < rows.num_rows; ++k) {
    const int32_t i = rows.selected == nullptr ? static_cast<int32_t>(k) : rows.selected[k];
    (*scratch)[kept] = i;
    kept += column.IsNull(i) ? 0 : 1;
  }
  AccumulatorRows present = rows;
  present.selected = scratch->data();
  present.num_rows = kept;
  return present;
}

absl::StatusOr<std::unique_ptr<Accumulator>> MakeAccumulator(const AccumulatorSpec& spec) {
  const SqlType arg = spec.arg_types.empty() ? SqlType{} : spec.arg_types[0];
  switch (spec.function) {
    case AggregateFunction::kCountStar:
    case AggregateFunction::kCount:
      return MakeCountAccumulator(spec);
    case AggregateFunction::kSum:
    case AggregateFunction::kAvg:
      if (arg.is_float()) return MakeFloatSumAccumulator(spec);
      return MakeExactSumAccumulator(spec);
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      if (spec.changing) return MakeMultisetAccumulator(spec);
      return MakeMinMaxAccumulator(spec);
    case AggregateFunction::kStddevSamp:
    case AggregateFunction::kStddevPop:
    case AggregateFunction::kVarSamp:
    case AggregateFunction::kVarPop:
      if (arg.is_float()) return MakeFloatVarianceAccumulator(spec);
      if (arg.is_integer() || arg.is_numeric()) return MakeExactVarianceAccumulator(spec);
      return NotSupported(absl::StrCat("a variance over ", TypeName(arg)));
    case AggregateFunction::kBoolAnd:
    case AggregateFunction::kBoolOr:
      return MakeBoolAccumulator(spec);
    case AggregateFunction::kStringAgg:
    case AggregateFunction::kSingleValue:
      return MakeMultisetAccumulator(spec);
  }
  return InternalError("unknown aggregate function");
}

}  // namespace millrace
