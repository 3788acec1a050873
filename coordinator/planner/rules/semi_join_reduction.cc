#include "coordinator/planner/rules/semi_join_reduction.h"

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

// What the other side must have at least, as multiples of the few rows and of what is read for
// them.
struct Gain {
  double rows;
  double read;
};
constexpr Gain kAggregateGain{20, 4};
constexpr Gain kExistsGain{8, 1};
// The semi join must keep less than this share of what it reduces.
constexpr double kReducedShareMax = 0.3;

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

// keys[i] of one side equals few_keys[i] of the few rows.
struct ReductionKeys {
  std::vector<int> side;
  std::vector<int> few;
};

// `input` semi-joined with the few rows; null if there is no key to do it by.
LogicalPtr SemiJoinOf(const LogicalPtr& input, const LogicalPtr& few, const ReductionKeys& keys) {
  std::vector<ExprPtr> conjuncts;
  for (size_t i = 0; i < keys.side.size(); ++i) {
    absl::StatusOr<ExprPtr> equal =
        BuildOperator("=",
                      {MakeColumn(keys.side[i], input->output[keys.side[i]].type),
                       MakeColumn(Width(*input) + keys.few[i], few->output[keys.few[i]].type)},
                      0);
    if (equal.ok()) conjuncts.push_back(*std::move(equal));
  }
  return conjuncts.empty() ? nullptr : MakeJoin(JoinType::kSemi, input, few, conjuncts);
}

// A way to reduce a side: what is reduced, what it becomes, and the side with it.
struct Reduction {
  LogicalPtr before;
  LogicalPtr after;
  LogicalPtr side;
  Gain gain;
};

// The aggregation at the top of `side`, below projections, over reduced input.
std::optional<Reduction> ReduceAggregate(const LogicalPtr& side, const LogicalPtr& few,
                                         const ReductionKeys& keys) {
  ReductionKeys below;
  if (side->kind == LogicalKind::kProject) {
    for (size_t i = 0; i < keys.side.size(); ++i) {
      const Expr& expr = *As<LogicalProject>(*side).exprs[keys.side[i]];
      if (expr.kind != ExprKind::kColumn) continue;
      below.side.push_back(expr.column_index);
      below.few.push_back(keys.few[i]);
    }
    std::optional<Reduction> reduction = ReduceAggregate(side->inputs[0], few, below);
    if (reduction.has_value()) reduction->side = WithInputs(side, {reduction->side});
    return reduction;
  }
  if (side->kind != LogicalKind::kAggregate) return std::nullopt;
  const std::vector<int>& group_keys = As<LogicalAggregate>(*side).keys;
  for (size_t i = 0; i < keys.side.size(); ++i) {
    if (keys.side[i] >= static_cast<int>(group_keys.size())) continue;
    below.side.push_back(group_keys[keys.side[i]]);
    below.few.push_back(keys.few[i]);
  }
  const LogicalPtr reduced = SemiJoinOf(side->inputs[0], few, below);
  if (reduced == nullptr) return std::nullopt;
  return Reduction{side->inputs[0], reduced, WithInputs(side, {reduced}), kAggregateGain};
}

bool IsWorthIt(const Reduction& reduction, const LogicalNode& few,
               const CardinalityEstimator& estimator) {
  const Estimate few_rows = estimator.EstimateOf(few);
  const std::optional<double> read = RowsRead(few, estimator);
  if (!few_rows.known || !read.has_value()) return false;
  const double before = estimator.EstimateOf(*reduction.before).rows;
  return few_rows.rows * reduction.gain.rows <= before && *read * reduction.gain.read <= before &&
         estimator.EstimateOf(*reduction.after).rows <= kReducedShareMax * before;
}

// The join with its side `side` reduced by the other one; null if that is not worth it.
LogicalPtr ReduceSide(const LogicalJoin& join, size_t side, const CardinalityEstimator& estimator) {
  const JoinKeys join_keys = SplitJoinCondition(join);
  const ReductionKeys keys = side == 0 ? ReductionKeys{join_keys.left, join_keys.right}
                                       : ReductionKeys{join_keys.right, join_keys.left};
  const LogicalPtr& few = join.inputs[1 - side];
  std::optional<Reduction> reduction = ReduceAggregate(join.inputs[side], few, keys);
  const bool exists = side == 1 && !OutputsBothSides(join.type);
  if (!reduction.has_value() && exists) {
    const LogicalPtr reduced = SemiJoinOf(join.inputs[1], few, keys);
    if (reduced != nullptr) reduction = Reduction{join.inputs[1], reduced, reduced, kExistsGain};
  }
  if (!reduction.has_value() || !IsWorthIt(*reduction, *few, estimator)) return nullptr;
  auto copy = std::make_shared<LogicalJoin>(join);
  copy->inputs[side] = reduction->side;
  return copy;
}

// Sides whose rows come out only with a match.
bool NeedsMatch(JoinType type, size_t side) {
  if (type == JoinType::kInner) return true;
  return side == 0 ? type == JoinType::kRight || type == JoinType::kSemi
                   : type == JoinType::kLeft || type == JoinType::kSemi || type == JoinType::kAnti;
}

}  // namespace

LogicalPtr ReduceBySemiJoins(const LogicalPtr& node, const CardinalityEstimator& estimator) {
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
