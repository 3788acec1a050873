#include "coordinator/planner/rules/distinct_aggregate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

bool IgnoresRepeats(AggregateFunction function) {
  return function == AggregateFunction::kMin || function == AggregateFunction::kMax ||
         function == AggregateFunction::kBoolAnd || function == AggregateFunction::kBoolOr;
}

bool AllDistinctOverOneArgument(const LogicalAggregate& aggregate) {
  const auto& calls = aggregate.aggregates;
  return !calls.empty() && std::all_of(calls.begin(), calls.end(), [&](const AggregateCall& call) {
    return call.distinct && !call.filter.has_value() && call.args.size() == 1 &&
           call.args == calls[0].args;
  });
}

LogicalPtr Split(const LogicalAggregate& aggregate) {
  const LogicalPtr& input = aggregate.inputs[0];
  auto different = std::make_shared<LogicalAggregate>();
  different->inputs = {input};
  different->keys = aggregate.keys;
  different->keys.push_back(aggregate.aggregates[0].args[0]);
  for (int key : different->keys) different->output.push_back(input->output[key]);

  auto outer = std::make_shared<LogicalAggregate>(aggregate);
  const int num_keys = static_cast<int>(aggregate.keys.size());
  outer->keys = ShiftMapping(num_keys, 0);
  for (AggregateCall& call : outer->aggregates) {
    call.distinct = false;
    call.args = {num_keys};
  }
  outer->inputs = {std::move(different)};
  return outer;
}

LogicalPtr SplitOne(const LogicalPtr& node) {
  if (node->kind != LogicalKind::kAggregate) return node;
  auto aggregate = std::make_shared<LogicalAggregate>(As<LogicalAggregate>(*node));
  for (AggregateCall& call : aggregate->aggregates) {
    if (IgnoresRepeats(call.function)) call.distinct = false;
  }
  if (!AllDistinctOverOneArgument(*aggregate)) return aggregate;
  return Split(*aggregate);
}

}  // namespace

LogicalPtr SplitDistinctAggregates(const LogicalPtr& node) {
  return RewriteBottomUp(node, SplitOne);
}

}  // namespace millrace
