#include "coordinator/planner/optimize.h"

#include "coordinator/planner/rules/column_pruning.h"
#include "coordinator/planner/rules/constant_folding.h"
#include "coordinator/planner/rules/distinct_aggregate.h"
#include "coordinator/planner/rules/empty_input.h"
#include "coordinator/planner/rules/filter_pushdown.h"
#include "coordinator/planner/rules/interval_keys.h"
#include "coordinator/planner/rules/join_build_side.h"
#include "coordinator/planner/rules/join_keys.h"
#include "coordinator/planner/rules/join_order.h"
#include "coordinator/planner/rules/limit_pushdown.h"
#include "coordinator/planner/rules/projection_merging.h"
#include "coordinator/planner/rules/semi_join_pushdown.h"
#include "coordinator/planner/rules/semi_join_reduction.h"
#include "coordinator/planner/rules/stream_not_in.h"

namespace millrace {

LogicalPtr OptimizeLogical(const LogicalPtr& query, const OptimizeOptions& options) {
  const CardinalityEstimator estimator(options.statistics);
  LogicalPtr plan = options.streaming ? SplitStreamNotIn(query) : query;
  plan = MergeProjections(FoldConstants(CompareIntervalKeysByLength(plan)));
  plan = RemoveEmptyInputs(FoldConstants(PushDownFilters(plan)));
  // A projection between joins keeps them from being ordered together.
  plan = MergeProjections(plan);
  if (!options.streaming) {
    plan = SplitDistinctAggregates(plan);
    plan = PushDownSemiJoins(plan, estimator);
  }
  plan = OrderJoins(plan, estimator);
  plan = ProjectJoinKeys(MergeProjections(plan));
  if (!options.streaming) plan = ReduceBySemiJoins(plan, estimator);
  plan = PushDownLimits(plan);
  plan = PruneColumns(plan);
  if (!options.streaming) plan = ChooseBuildSides(plan, estimator);
  plan = PruneColumns(MergeProjections(plan));
  // Pruning puts projections between filters and limits and what they belong to.
  return MergeProjections(PushDownLimits(PushDownFilters(plan)));
}

}  // namespace millrace
