#include "worker/assembly/operator_factory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/connectors/factory/connector_factory.h"
#include "worker/operators/filter_operator.h"
#include "worker/operators/group_top_n_operator.h"
#include "worker/operators/hash_aggregate_operator.h"
#include "worker/operators/hash_join_operator.h"
#include "worker/operators/limit_operator.h"
#include "worker/operators/nested_loop_join_operator.h"
#include "worker/operators/over_operator.h"
#include "worker/operators/project_operator.h"
#include "worker/operators/sink_operator.h"
#include "worker/operators/sort_operator.h"
#include "worker/operators/streaming/changing_group_top_n_operator.h"
#include "worker/operators/streaming/changing_over_operator.h"
#include "worker/operators/streaming/watermark_over_operator.h"
#include "worker/operators/top_n_operator.h"
#include "worker/operators/union_all_operator.h"
#include "worker/operators/view_sink_operator.h"
#include "worker/operators/window_tvf_operator.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> CreateOperator(const v1::PlanNode& node,
                                                         const OperatorOwner& owner,
                                                         FileSystem& file_system,
                                                         const AddressPolicy& addresses) {
  const SinkTask sink_task{owner.files, owner.attempt, owner.task_index, owner.streaming};
  switch (node.op_case()) {
    case v1::PlanNode::kFilter:
      return FilterOperator::Create(node);
    case v1::PlanNode::kProject:
      return ProjectOperator::Create(node);
    case v1::PlanNode::kHashAggregate:
      return HashAggregateOperator::Create(node);
    case v1::PlanNode::kHashJoin:
      return HashJoinOperator::Create(node);
    case v1::PlanNode::kNestedLoopJoin:
      return NestedLoopJoinOperator::Create(node);
    case v1::PlanNode::kSort:
      return SortOperator::Create(node);
    case v1::PlanNode::kTopN:
      return TopNOperator::Create(node);
    case v1::PlanNode::kLimit:
      return LimitOperator::Create(node);
    case v1::PlanNode::kUnionAll:
      return UnionAllOperator::Create(node);
    case v1::PlanNode::kOver:
      if (node.over().event_time()) return WatermarkOverOperator::Create(node);
      if (node.changing()) return ChangingOverOperator::Create(node);
      return OverOperator::Create(node);
    case v1::PlanNode::kGroupTopN:
      if (node.changing()) return ChangingGroupTopNOperator::Create(node);
      return GroupTopNOperator::Create(node);
    case v1::PlanNode::kWindowTvf:
      return WindowTvfOperator::Create(node);
    case v1::PlanNode::kFileSink: {
      MR_ASSIGN_OR_RETURN(auto sink,
                          CreateSink(node.file_sink(), sink_task, file_system, addresses));
      return std::make_unique<SinkOperator>(std::move(sink), owner.streaming);
    }
    case v1::PlanNode::kTableSink: {
      MR_ASSIGN_OR_RETURN(auto sink, CreateTableSink(node.table_sink(), sink_task, file_system));
      return std::make_unique<SinkOperator>(std::move(sink), owner.streaming);
    }
    case v1::PlanNode::kViewSink:
      return ViewSinkOperator::Create(node);
    default:
      return NotSupported(absl::StrCat("operator ", static_cast<int>(node.op_case()),
                                       " of the plan (node ", node.id(), ")"));
  }
}

}  // namespace millrace
