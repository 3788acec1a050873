#include "coordinator/planner/rules/aggregate_semi_join.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/expr/function_registry.h"
#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/join_keys.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

// The aggregation must have this many times more input than the other side has rows, and than it
// reads.
constexpr double kRowsGain = 20;
constexpr double kReadGain = 4;
// The semi join must keep less than this share of the aggregation's input.
constexpr double kKeptShareMax = 0.3;

// Rows that a plan without joins and aggregations reads; nothing for others, and for what must not
// run twice.
std::optional<double> RowsRead(const LogicalNode& node, const CardinalityEstimator& estimator) {
  switch (node.kind) {
    case LogicalKind::kScan: {
      LogicalScan whole = As<LogicalScan>(node);
      if (whole.filter != nullptr && IsVolatile(*whole.filter)) return std::nullopt;
      whole.filter = nullptr;
      return estimator.EstimateOf(whole).rows;
    }
    case LogicalKind::kFilter:
      if (IsVolatile(*As<LogicalFilter>(node).predicate)) return std::nullopt;
      return RowsRead(*node.inputs[0], estimator);
    case LogicalKind::kProject: {
      const auto& exprs = As<LogicalProject>(node).exprs;
      const bool stable = std::none_of(exprs.begin(), exprs.end(),
                                       [](const ExprPtr& expr) { return IsVolatile(*expr); });
      return stable ? RowsRead(*node.inputs[0], estimator) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

// `side` with its aggregation's input reduced to the keys in `few`; null if `side` is no
// aggregation, below projections, with keys among `side_keys`.
LogicalPtr Reduce(const LogicalPtr& side, std::vector<int> side_keys, const LogicalPtr& few,
                  std::vector<int> few_keys) {
  if (side->kind == LogicalKind::kProject) {
    const auto& exprs = As<LogicalProject>(*side).exprs;
    std::vector<int> below;
    std::vector<int> kept;
    for (size_t i = 0; i < side_keys.size(); ++i) {
      const Expr& expr = *exprs[side_keys[i]];
      if (expr.kind != ExprKind::kColumn) continue;
      below.push_back(expr.column_index);
      kept.push_back(few_keys[i]);
    }
    const LogicalPtr reduced = Reduce(side->inputs[0], std::move(below), few, std::move(kept));
    return reduced == nullptr ? nullptr : WithInputs(side, {reduced});
  }
  if (side->kind != LogicalKind::kAggregate) return nullptr;
  const auto& aggregate = As<LogicalAggregate>(*side);
  const LogicalPtr& input = aggregate.inputs[0];
  std::vector<ExprPtr> conjuncts;
  for (size_t i = 0; i < side_keys.size(); ++i) {
    if (side_keys[i] >= static_cast<int>(aggregate.keys.size())) continue;
    const int key = aggregate.keys[side_keys[i]];
    absl::StatusOr<ExprPtr> equal =
        BuildOperator("=",
                      {MakeColumn(key, input->output[key].type),
                       MakeColumn(Width(*input) + few_keys[i], few->output[few_keys[i]].type)},
                      0);
    if (equal.ok()) conjuncts.push_back(*std::move(equal));
  }
  if (conjuncts.empty()) return nullptr;
  return WithInputs(side, {MakeJoin(JoinType::kSemi, input, few, conjuncts)});
}

// The rows that go into the aggregation at the top of `side`; 0 if there is none.
double AggregatedRows(const LogicalNode& side, const CardinalityEstimator& estimator) {
  if (side.kind == LogicalKind::kProject) return AggregatedRows(*side.inputs[0], estimator);
  if (side.kind != LogicalKind::kAggregate) return 0;
  return estimator.EstimateOf(*side.inputs[0]).rows;
}

// The join with its side `side` reduced by the other one; null if that is not allowed or not worth
// it.
LogicalPtr ReduceSide(const LogicalJoin& join, size_t side, const CardinalityEstimator& estimator) {
  const LogicalPtr& few = join.inputs[1 - side];
  const double aggregated = AggregatedRows(*join.inputs[side], estimator);
  const Estimate other = estimator.EstimateOf(*few);
  const std::optional<double> read = RowsRead(*few, estimator);
  const bool worth = aggregated > 0 && other.known && read.has_value() &&
                     other.rows * kRowsGain <= aggregated && *read * kReadGain <= aggregated;
  if (!worth) return nullptr;
  JoinKeys keys = SplitJoinCondition(join);
  if (side == 1) std::swap(keys.left, keys.right);
  if (keys.left.empty()) return nullptr;
  const LogicalPtr reduced = Reduce(join.inputs[side], keys.left, few, keys.right);
  if (reduced == nullptr || AggregatedRows(*reduced, estimator) > kKeptShareMax * aggregated) {
    return nullptr;
  }
  std::vector<LogicalPtr> inputs = join.inputs;
  inputs[side] = reduced;
  auto copy = std::make_shared<LogicalJoin>(join);
  copy->inputs = std::move(inputs);
  return copy;
}

// Sides whose rows come out only with a match.
bool NeedsMatch(JoinType type, size_t side) {
  if (type == JoinType::kInner) return true;
  return side == 0 ? type == JoinType::kRight || type == JoinType::kSemi
                   : type == JoinType::kLeft || type == JoinType::kSemi || type == JoinType::kAnti;
}

}  // namespace

LogicalPtr ReduceAggregateInputs(const LogicalPtr& node, const CardinalityEstimator& estimator) {
  return RewriteBottomUp(node, [&](const LogicalPtr& visited) {
    if (visited->kind != LogicalKind::kJoin) return visited;
    const auto& join = As<LogicalJoin>(*visited);
    for (const size_t side : {0, 1}) {
      if (!NeedsMatch(join.type, side)) continue;
      LogicalPtr reduced = ReduceSide(join, side, estimator);
      if (reduced != nullptr) return reduced;
    }
    return visited;
  });
}

}  // namespace millrace
