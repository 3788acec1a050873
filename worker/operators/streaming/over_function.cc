#include "worker/operators/streaming/over_function.h"

#include "common/base/status.h"
#include "worker/kernels/accumulator.h"

namespace millrace {
namespace {

bool IsExact(const SqlType& type) { return type.is_integer() || type.is_numeric(); }

}  // namespace

AccumulatorSpec SpecOf(const OverCallPlan& call) {
  AccumulatorSpec spec;
  spec.function = call.aggregate->function;
  spec.arg_types = call.arg_types;
  spec.type = call.type;
  return spec;
}

absl::Status CorruptOverState() {
  return MakeError(SqlState::kDataCorrupted, "stored state of a window function has a wrong form");
}

absl::StatusOr<std::unique_ptr<OverFunction>> MakeOverFunction(const OverCallPlan& call) {
  if (!call.aggregate.has_value()) return MakePositionFunction(call);
  const AggregateFunction function = call.aggregate->function;
  if (function != AggregateFunction::kCountStar && call.arg_types.empty()) {
    return InternalError("an aggregate lacks the type of its argument");
  }
  switch (function) {
    case AggregateFunction::kCountStar:
    case AggregateFunction::kCount:
      return MakeExactSumFunction(call);
    case AggregateFunction::kSum:
    case AggregateFunction::kAvg:
      if (IsExact(call.arg_types[0])) return MakeExactSumFunction(call);
      if (call.arg_types[0].is_float()) return MakeFloatSumFunction(call);
      break;
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      return MakeMinMaxFunction(call);
    default:
      break;
  }
  return call.frame.start.has_value() ? MakeFrameAggregate(call) : MakeRunningAggregate(call);
}

}  // namespace millrace
