#include "coordinator/planner/planner.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "common/base/check.h"
#include "common/base/status.h"
#include "coordinator/planner/fragment_builder.h"
#include "coordinator/planner/optimize.h"
#include "coordinator/planner/physical_builder.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// Asks the source once for each object.
StatisticsSource Remembering(StatisticsSource source) {
  if (!source) return source;
  auto known = std::make_shared<std::map<uint64_t, TableStatistics>>();
  return [source = std::move(source), known](const v1::CatalogObject& object) {
    const auto found = known->find(object.id());
    if (found != known->end()) return found->second;
    return known->emplace(object.id(), source(object)).first->second;
  };
}

// Sizes are asked for only where they decide something: finding them out may mean to open files.
bool HasJoin(const LogicalNode& node) {
  return node.kind == LogicalKind::kJoin ||
         std::any_of(node.inputs.begin(), node.inputs.end(),
                     [](const LogicalPtr& input) { return HasJoin(*input); });
}

// Makes all tables alike: a stream's plan must be the same when it is made again after a restart.
TableStatistics SizeUnknown(const v1::CatalogObject&) {
  TableStatistics statistics;
  statistics.rows = static_cast<uint64_t>(kUnknownRows);
  return statistics;
}

const v1::PlanNode* FindViewSink(const v1::PhysicalPlan& plan) {
  for (const v1::Fragment& fragment : plan.fragments()) {
    if (fragment.root().has_view_sink()) return &fragment.root();
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<v1::PhysicalPlan> PlanQuery(const LogicalPtr& query, const PlanOptions& options) {
  if (options.parallelism == 0) return InternalError("a plan needs a parallelism of at least 1");
  PlanOptions effective = options;
  if (options.streaming) {
    effective.statistics = SizeUnknown;
  } else {
    effective.statistics = HasJoin(*query) ? Remembering(options.statistics) : nullptr;
  }
  const LogicalPtr optimized = OptimizeLogical(query, {effective.streaming, effective.statistics});
  FragmentBuilder fragments(effective);
  PhysicalBuilder builder(effective, &fragments);
  MR_ASSIGN_OR_RETURN(Relation root, builder.Build(optimized));
  MR_ASSIGN_OR_RETURN(root, builder.AddTarget(std::move(root), query->output));
  return fragments.Finish(std::move(root), /*to_client=*/!effective.streaming);
}

ViewTraits ViewTraitsOf(const v1::PhysicalPlan& plan) {
  const v1::PlanNode* sink = FindViewSink(plan);
  MR_CHECK(sink != nullptr);
  const auto& key = sink->view_sink().key_columns();
  return {{key.begin(), key.end()}, !sink->inputs(0).changing()};
}

}  // namespace millrace
