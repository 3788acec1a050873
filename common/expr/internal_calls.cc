#include "common/expr/internal_calls.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/call_builder.h"
#include "common/expr/function_table.h"
#include "common/expr/interval_order.h"
#include "common/expr/map_rows.h"

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

ArrayOr RequireNotNull(const KernelCall& call) {
  const std::shared_ptr<arrow::Array>& values = call.args[0].array;
  if (values->null_count() == 0) return values;
  const ColumnReader<absl::string_view> column(call.args[1]);
  const ColumnReader<absl::string_view> relation(call.args[2]);
  return MakeError(SqlState::kNotNullViolation,
                   absl::StrCat("null value in column \"", column[0], "\" of relation \"",
                                relation[0], "\" violates not-null constraint"));
}

ArrayOr RequireSingleRow(const KernelCall& call) {
  const ColumnReader<int64_t> counts(call.args[1]);
  const arrow::Array& array = *call.args[1].array;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row) || counts[row] <= 1) continue;
    return MakeError(SqlState::kCardinalityViolation,
                     "more than one row returned by a subquery used as an expression");
  }
  return call.args[0].array;
}

ArrayOr IntervalSpan(const KernelCall& call) {
  return MapRows<__int128, IntervalParts>(
      call, [](const IntervalParts& interval, __int128* out) { *out = IntervalOrder(interval); });
}

ExprPtr TextLiteral(absl::string_view text) {
  return MakeLiteral(Value{SqlType::Of(TypeId::kText), std::string(text)});
}

}  // namespace

ExprPtr BuildNotNullCheck(ExprPtr value, absl::string_view column, absl::string_view relation,
                          int32_t position) {
  const SqlType type = value->type;
  return MakeCall("require_not_null(any,text,text)",
                  {std::move(value), TextLiteral(column), TextLiteral(relation)}, type, position);
}

ExprPtr BuildSingleRowCheck(ExprPtr value, ExprPtr count, int32_t position) {
  const SqlType type = value->type;
  return MakeCall("require_single_row(any,int8)", {std::move(value), std::move(count)}, type,
                  position);
}

ExprPtr BuildIntervalSpan(ExprPtr interval) {
  const int32_t position = interval->position;
  return MakeCall("interval_span(interval)", {std::move(interval)}, SqlType::Numeric(0, 0),
                  position);
}

void AddInternalFunctions(FunctionTable* table) {
  table->Add("require_not_null(any,text,text)->any", RequireNotNull,
             "the value, which must not be NULL", kFallible | kTakesNulls | kCostly);
  table->Add("require_single_row(any,int8)->any", RequireSingleRow,
             "the value of a subquery, which must have one row", kFallible | kTakesNulls | kCostly);
  table->Add("interval_span(interval)->numeric", IntervalSpan, "length in microseconds", kNoTraits,
             ScaleRule::kZero);
}

}  // namespace millrace
