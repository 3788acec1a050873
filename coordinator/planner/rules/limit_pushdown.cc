#include "coordinator/planner/rules/limit_pushdown.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

uint64_t SaturatingAdd(uint64_t a, uint64_t b) {
  return a > std::numeric_limits<uint64_t>::max() - b ? std::numeric_limits<uint64_t>::max()
                                                      : a + b;
}

LogicalPtr MergeLimits(const LogicalLimit& outer, const LogicalLimit& inner) {
  std::optional<uint64_t> limit = outer.limit;
  if (inner.limit.has_value()) {
    const uint64_t left = *inner.limit > outer.offset ? *inner.limit - outer.offset : 0;
    limit = limit.has_value() ? std::min(*limit, left) : left;
  }
  return MakeLimit(inner.inputs[0], limit, SaturatingAdd(inner.offset, outer.offset));
}

LogicalPtr PushLimit(const LogicalPtr& node) {
  const auto& limit = As<LogicalLimit>(*node);
  const LogicalPtr& input = limit.inputs[0];
  if (limit.limit == uint64_t{0}) return MakeNoRows(limit.output);
  if (!limit.limit.has_value() && limit.offset == 0) return input;
  if (input->kind == LogicalKind::kLimit) {
    return PushLimit(MergeLimits(limit, As<LogicalLimit>(*input)));
  }
  if (input->kind == LogicalKind::kProject) {
    return WithInputs(input, {PushLimit(MakeLimit(input->inputs[0], limit.limit, limit.offset))});
  }
  if (input->kind == LogicalKind::kUnionAll && limit.limit.has_value()) {
    const uint64_t needed = SaturatingAdd(*limit.limit, limit.offset);
    std::vector<LogicalPtr> inputs;
    for (const LogicalPtr& branch : input->inputs) {
      inputs.push_back(PushLimit(MakeLimit(branch, needed, 0)));
    }
    return MakeLimit(WithInputs(input, std::move(inputs)), limit.limit, limit.offset);
  }
  return node;
}

bool HidesOrder(const LogicalNode& node) {
  if (node.kind == LogicalKind::kJoin || node.kind == LogicalKind::kSort) return true;
  if (node.kind != LogicalKind::kAggregate) return false;
  const auto& calls = As<LogicalAggregate>(node).aggregates;
  return std::none_of(calls.begin(), calls.end(), [](const AggregateCall& call) {
    return call.function == AggregateFunction::kStringAgg;
  });
}

// `node` without a sort at its top, below projections and filters.
LogicalPtr DropSort(const LogicalPtr& node) {
  if (node->kind == LogicalKind::kSort) return DropSort(node->inputs[0]);
  if (node->kind != LogicalKind::kProject && node->kind != LogicalKind::kFilter) return node;
  return WithInputs(node, {DropSort(node->inputs[0])});
}

}  // namespace

LogicalPtr PushDownLimits(const LogicalPtr& node) {
  return RewriteBottomUp(node, [](const LogicalPtr& visited) {
    if (visited->kind == LogicalKind::kLimit) return PushLimit(visited);
    if (!HidesOrder(*visited)) return visited;
    std::vector<LogicalPtr> inputs;
    for (const LogicalPtr& input : visited->inputs) inputs.push_back(DropSort(input));
    return WithInputs(visited, std::move(inputs));
  });
}

}  // namespace millrace
