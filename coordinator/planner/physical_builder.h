#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/planner/fragment_builder.h"
#include "coordinator/planner/planner.h"
#include "coordinator/planner/relation.h"
#include "coordinator/planner/rules/group_top_n.h"
#include "coordinator/planner/rules/join_keys.h"

namespace millrace {

// What the queries of one streaming job compute together: the nodes that are read more than once,
// and those of them that are built.
struct SharedParts {
  std::set<const LogicalNode*> nodes;
  std::map<const LogicalNode*, SharedRelation> built;
};

// Turns an optimised logical plan into physical nodes: picks operators and phases, and puts
// exchanges where rows that belong together are not in one task. The parts are in
// physical_<what>.cc.
class PhysicalBuilder {
 public:
  // `shared`: null if there is one query, and nothing of it is shared.
  PhysicalBuilder(const PlanOptions& options, FragmentBuilder* fragments,
                  SharedParts* shared = nullptr);

  absl::StatusOr<Relation> Build(const LogicalPtr& node);

  // Puts the target's sink above the query. `names` are the query's column names.
  absl::StatusOr<Relation> AddTarget(Relation query, const Schema& names);

 private:
  // physical_builder.cc
  absl::StatusOr<Relation> BuildShared(const LogicalPtr& node);
  absl::StatusOr<Relation> BuildNode(const LogicalPtr& node);
  absl::StatusOr<Relation> BuildFilter(const LogicalFilter& filter);
  absl::StatusOr<Relation> BuildProject(const LogicalProject& project);
  absl::StatusOr<Relation> BuildUnionAll(const LogicalUnionAll& all);
  absl::StatusOr<Relation> BuildWindowTvf(const LogicalWindowTvf& tvf);
  // Columns that are references keep their traits.
  Relation Project(Relation input, const std::vector<ExprPtr>& exprs, Schema schema);
  Relation ProjectColumns(Relation input, const std::vector<int>& columns);
  // `input` with `exprs` as further columns.
  Relation Extend(Relation input, const std::vector<ExprPtr>& exprs, const std::string& name);
  Relation Filter(Relation input, const ExprPtr& predicate);

  // physical_scan.cc
  absl::StatusOr<Relation> BuildScan(const LogicalScan& scan);
  absl::StatusOr<Relation> BuildValues(const LogicalValues& values);

  // physical_aggregate.cc
  absl::StatusOr<Relation> BuildAggregate(const LogicalAggregate& aggregate);
  absl::StatusOr<Relation> AggregateStream(Relation input, LogicalAggregate aggregate,
                                           v1::HashAggregateNode base);
  absl::StatusOr<int> AddWindowEnd(const std::vector<int>& keys, Relation* input);
  // `base` has what all phases share.
  Relation AggregateInPhases(Relation input, const LogicalAggregate& aggregate,
                             v1::HashAggregateNode base);
  Relation AggregateNode(Relation input, const LogicalAggregate& aggregate,
                         v1::HashAggregateNode node);

  // physical_join.cc
  absl::StatusOr<Relation> BuildJoin(const LogicalJoin& join);
  bool PrefersBroadcast(const LogicalJoin& join, const JoinKeys& keys, const Relation& left,
                        const Relation& right) const;
  Relation HashJoin(const LogicalJoin& join, const JoinKeys& keys, Relation left, Relation right);
  void SpreadByKeys(const JoinKeys& keys, Relation* left, Relation* right);
  Relation JoinOutput(const LogicalJoin& join, Relation* left, Relation* right);
  Relation NestedLoopJoin(const LogicalJoin& join, Relation left, Relation right);
  absl::StatusOr<Relation> SymmetricJoin(const LogicalJoin& join, JoinKeys keys, Relation left,
                                         Relation right);
  absl::StatusOr<Relation> SymmetricCrossJoin(const LogicalJoin& join, JoinKeys keys, Relation left,
                                              Relation right);
  std::optional<std::vector<int>> JoinedKey(const LogicalJoin& join, const JoinKeys& keys,
                                            const Relation& left, const Relation& right) const;

  // physical_order.cc
  absl::StatusOr<Relation> BuildSort(const LogicalSort& sort);
  // The order with ties broken by the whole row, for rows that are skipped.
  absl::StatusOr<Relation> BuildTotalSort(const LogicalSort& sort);
  absl::StatusOr<Relation> BuildLimit(const LogicalLimit& limit);
  absl::StatusOr<Relation> BuildTopN(const LogicalLimit& limit, const LogicalSort& sort);
  absl::StatusOr<Relation> StreamTopN(const LogicalLimit& limit, const LogicalPtr& input,
                                      const std::vector<SortKey>& keys);
  absl::StatusOr<Relation> BuildOver(const LogicalOver& over);
  // Whether rows can wait for the watermark and then be final.
  absl::Status CheckEventTimeOver(const LogicalOver& over, const Relation& input) const;
  Relation SpreadByPartition(Relation input, const std::vector<int>& keys);
  absl::StatusOr<Relation> BuildGroupTopN(const GroupTopNMatch& match, bool with_number);
  // Makes every key a plain column, projected behind the others if need be.
  Relation PlainKeys(Relation input, std::vector<SortKey>* keys);

  // physical_sink.cc
  absl::StatusOr<Relation> AddBoundedSink(Relation query);
  absl::StatusOr<Relation> AddStreamSink(Relation query);
  Relation AddViewSink(Relation query);

  // A node over one input with the input's schema and traits.
  template <typename SetOp>
  Relation OnTop(Relation input, const SetOp& set_op) {
    std::unique_ptr<v1::PlanNode> node = fragments_->NewNode({&input});
    set_op(node.get());
    input.node = std::move(node);
    return input;
  }

  const PlanOptions& options_;
  FragmentBuilder* const fragments_;
  SharedParts* const shared_;
  const CardinalityEstimator estimator_;
  // A scan that was built has a watermark.
  bool has_watermark_ = false;
};

}  // namespace millrace
