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
#include "coordinator/planner/rules/stream_calls.h"
#include "coordinator/planner/shared_subplans.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// Objects of the catalog have ids. Files that a query names have none, but a path, which tells
// their format too.
using SizedObject = std::pair<uint64_t, std::string>;

SizedObject SizedObjectOf(const v1::CatalogObject& object) {
  const auto path = object.options().find("path");
  return {object.id(), path == object.options().end() ? "" : path->second};
}

// Asks the source once for each object.
StatisticsSource Remembering(StatisticsSource source) {
  if (!source) return source;
  auto known = std::make_shared<std::map<SizedObject, TableStatistics>>();
  return [source = std::move(source), known](const v1::CatalogObject& object) {
    const SizedObject key = SizedObjectOf(object);
    const auto found = known->find(key);
    if (found != known->end()) return found->second;
    return known->emplace(key, source(object)).first->second;
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

bool IsSinkOf(const v1::PlanNode& root, uint64_t object_id) {
  return (root.has_view_sink() && root.view_sink().object_id() == object_id) ||
         (root.has_file_sink() && root.file_sink().object_id() == object_id);
}

void AddScansBelow(const v1::PhysicalPlan& plan, uint32_t fragment, const v1::PlanNode& node,
                   std::map<uint32_t, uint32_t>* scans) {
  if (node.has_scan()) scans->emplace(node.scan().scan_id(), fragment);
  for (const v1::PlanNode& input : node.inputs()) AddScansBelow(plan, fragment, input, scans);
  if (!node.has_exchange()) return;
  const uint32_t producer = node.exchange().producer_fragment();
  AddScansBelow(plan, producer, plan.fragments(static_cast<int>(producer)).root(), scans);
}

}  // namespace

absl::StatusOr<v1::PhysicalPlan> PlanQuery(const LogicalPtr& query, const PlanOptions& options) {
  if (options.streaming) {
    return PlanStream(
        {{query, options.target, options.emit_on_window_close, options.step, options.positions}},
        options);
  }
  if (options.parallelism == 0) return InternalError("a plan needs a parallelism of at least 1");
  PlanOptions effective = options;
  effective.statistics = HasJoin(*query) ? Remembering(options.statistics) : nullptr;
  const LogicalPtr optimized = OptimizeLogical(query, {false, effective.statistics});
  FragmentBuilder fragments(effective);
  PhysicalBuilder builder(effective, &fragments);
  MR_ASSIGN_OR_RETURN(Relation root, builder.Build(optimized));
  MR_ASSIGN_OR_RETURN(root, builder.AddTarget(std::move(root), query->output));
  fragments.FinishResult(std::move(root));
  return fragments.TakePlan();
}

absl::StatusOr<v1::PhysicalPlan> PlanStream(const std::vector<StreamQuery>& queries,
                                            const PlanOptions& options) {
  if (options.parallelism == 0) return InternalError("a plan needs a parallelism of at least 1");
  PlanOptions common = options;
  common.streaming = true;
  common.statistics = SizeUnknown;
  std::vector<SharingQuery> optimized;
  for (const StreamQuery& query : queries) {
    MR_RETURN_IF_ERROR(CheckStreamCalls(*query.query));
    optimized.push_back(
        {OptimizeLogical(query.query, {true, common.statistics}), query.emit_on_window_close});
  }
  SharedQueries together = ShareSubplans(optimized);
  SharedParts shared{std::move(together.shared), {}};
  FragmentBuilder fragments(common);
  for (size_t i = 0; i < queries.size(); ++i) {
    PlanOptions own = common;
    own.target = queries[i].target;
    own.emit_on_window_close = queries[i].emit_on_window_close;
    own.step = queries[i].step;
    own.positions = queries[i].positions;
    fragments.SetStep(own.step);
    PhysicalBuilder builder(own, &fragments, &shared);
    MR_ASSIGN_OR_RETURN(Relation root, builder.Build(together.queries[i]));
    MR_ASSIGN_OR_RETURN(root, builder.AddTarget(std::move(root), queries[i].query->output));
    fragments.FinishSink(std::move(root));
  }
  return fragments.TakePlan();
}

ViewTraits ViewTraitsOf(const v1::PhysicalPlan& plan, uint64_t view_id) {
  for (const v1::Fragment& fragment : plan.fragments()) {
    const v1::PlanNode& root = fragment.root();
    if (!root.has_view_sink() || root.view_sink().object_id() != view_id) continue;
    const auto& key = root.view_sink().key_columns();
    return {{key.begin(), key.end()}, !root.inputs(0).changing()};
  }
  MR_CHECK(false);
  return {};
}

std::vector<uint64_t> FileSinksOf(const v1::PhysicalPlan& plan) {
  std::vector<uint64_t> sinks;
  for (const v1::Fragment& fragment : plan.fragments()) {
    if (fragment.root().has_file_sink()) sinks.push_back(fragment.root().file_sink().object_id());
  }
  return sinks;
}

std::map<uint32_t, uint32_t> ScansFeeding(const v1::PhysicalPlan& plan, uint64_t object_id) {
  std::map<uint32_t, uint32_t> scans;
  for (const v1::Fragment& fragment : plan.fragments()) {
    if (!IsSinkOf(fragment.root(), object_id)) continue;
    AddScansBelow(plan, fragment.id(), fragment.root(), &scans);
  }
  return scans;
}

}  // namespace millrace
