#include "common/plan/partial_columns.h"

#include "common/base/check.h"

namespace millrace {
namespace {

const SqlType kCount = SqlType::Of(TypeId::kInt64);
const SqlType kFloat = SqlType::Of(TypeId::kFloat64);
const SqlType kBytes = SqlType::Of(TypeId::kBytea);

// The type of an exact running sum: with the argument's digits after the point, and as wide as
// numbers go where 64 bits could overflow.
SqlType ExactSum(const SqlType& arg, AggregateFunction function) {
  const bool narrow = arg.id == TypeId::kInt16 || arg.id == TypeId::kInt32;
  const bool is_sum = function == AggregateFunction::kSum || function == AggregateFunction::kAvg;
  if (narrow && is_sum) return SqlType::Of(TypeId::kInt64);
  if (arg.id == TypeId::kInterval) return arg;
  return SqlType::Numeric(kMaxNumericPrecision, arg.is_numeric() ? arg.scale : 0);
}

}  // namespace

bool SupportsPartial(const AggregateCall& call) {
  return !call.distinct && call.function != AggregateFunction::kStringAgg &&
         call.function != AggregateFunction::kSingleValue;
}

bool SupportsPartialChanges(const AggregateCall& call) {
  return SupportsPartial(call) && call.function != AggregateFunction::kMin &&
         call.function != AggregateFunction::kMax;
}

std::vector<SqlType> PartialColumns(const AggregateCall& call,
                                    const std::vector<SqlType>& arg_types) {
  MR_CHECK(SupportsPartial(call));
  MR_CHECK(call.function == AggregateFunction::kCountStar || !arg_types.empty());
  switch (call.function) {
    case AggregateFunction::kCountStar:
    case AggregateFunction::kCount:
      return {kCount};
    case AggregateFunction::kSum:
    case AggregateFunction::kAvg:
      if (arg_types[0].is_float()) return {kFloat, kCount, kBytes};
      return {ExactSum(arg_types[0], call.function), kCount};
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      return {arg_types[0]};
    case AggregateFunction::kBoolAnd:
    case AggregateFunction::kBoolOr:
      return {kCount, kCount};
    case AggregateFunction::kStddevSamp:
    case AggregateFunction::kStddevPop:
    case AggregateFunction::kVarSamp:
    case AggregateFunction::kVarPop:
      if (arg_types[0].is_float()) return {kCount, kFloat, kFloat, kBytes};
      return {kCount, ExactSum(arg_types[0], call.function), kBytes};
    case AggregateFunction::kStringAgg:
    case AggregateFunction::kSingleValue:
      break;
  }
  return {};
}

}  // namespace millrace
