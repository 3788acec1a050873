#include "worker/operators/aggregate_plan.h"

#include <algorithm>

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

absl::StatusOr<AggregatePlan::Phase> PhaseOf(v1::AggregatePhase phase) {
  switch (phase) {
    case v1::AGGREGATE_PHASE_SINGLE:
      return AggregatePlan::Phase::kSingle;
    case v1::AGGREGATE_PHASE_PARTIAL:
      return AggregatePlan::Phase::kPartial;
    case v1::AGGREGATE_PHASE_FINAL:
      return AggregatePlan::Phase::kFinal;
    default:
      return InternalError("aggregation without a phase");
  }
}

}  // namespace

absl::StatusOr<AggregatePlan> AggregatePlan::From(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  const v1::HashAggregateNode& aggregate = node.hash_aggregate();
  AggregatePlan plan;
  plan.input_types = InputTypes(node, 0);
  plan.keys = ColumnsOf(aggregate.keys());
  plan.key_types = PickTypes(plan.input_types, plan.keys);
  MR_ASSIGN_OR_RETURN(plan.calls, AggregatesOf(aggregate.aggregates()));
  for (const v1::AggregateArgTypes& types : aggregate.arg_types()) {
    plan.arg_types.push_back(TypesOf(types.types()));
  }
  MR_ASSIGN_OR_RETURN(plan.phase, PhaseOf(aggregate.phase()));
  if (aggregate.emit() == v1::EMIT_MODE_CHANGES) plan.emit = Emit::kChanges;
  if (aggregate.emit() == v1::EMIT_MODE_ON_WINDOW_CLOSE) plan.emit = Emit::kOnWindowClose;
  plan.streaming = aggregate.streaming();
  plan.changing = node.inputs(0).changing();
  if (aggregate.has_window_end_key()) {
    plan.window_end_key = static_cast<int>(aggregate.window_end_key());
    if (*plan.window_end_key >= static_cast<int>(plan.keys.size())) {
      return InternalError("window_end is not among the keys");
    }
  }
  if (plan.emit == Emit::kOnWindowClose && !plan.window_end_key.has_value()) {
    return InternalError("an aggregation that emits on window close has no window_end key");
  }
  return plan;
}

absl::StatusOr<std::unique_ptr<AggregateSet>> AggregatePlan::MakeAggregates() const {
  AggregateInput input;
  input.changing = changing;
  input.streaming = emit != Emit::kAtEnd || streaming;
  return AggregateSet::Create(calls, arg_types, input);
}

RowPacer AggregatePlan::PaceOfResults(int64_t num_groups, int64_t bytes) const {
  // A text that many rows have is held once, and joined as often as they are.
  const bool may_grow = std::any_of(calls.begin(), calls.end(), [](const AggregateCall& call) {
    return call.function == AggregateFunction::kStringAgg;
  });
  if (may_grow) return RowPacer(1);
  return RowPacer(kMaxBatchBytes / (bytes / std::max<int64_t>(1, num_groups) + 1));
}

}  // namespace millrace
