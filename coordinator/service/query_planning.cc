#include "coordinator/service/query_planning.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/connector_spec/file_options.h"
#include "coordinator/planner/rules/logical_build.h"
#include "coordinator/scheduler/placement.h"
#include "coordinator/scheduler/spread_plan.h"
#include "coordinator/service/session_settings.h"
#include "coordinator/service/system_relations.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

bool ReadsView(const LogicalNode& node) {
  if (node.kind == LogicalKind::kScan &&
      As<LogicalScan>(node).object->kind() == v1::OBJECT_KIND_MATERIALIZED_VIEW) {
    return true;
  }
  return std::any_of(node.inputs.begin(), node.inputs.end(),
                     [](const LogicalPtr& input) { return ReadsView(*input); });
}

// A stream computes what a view holds itself, from the same sources: it sees each change with its
// own epoch.
absl::StatusOr<LogicalPtr> ExpandViews(const LogicalPtr& query, const StatementMoment& moment) {
  absl::Status status;
  LogicalPtr expanded = RewriteBottomUp(query, [&](const LogicalPtr& node) -> LogicalPtr {
    if (!status.ok() || node->kind != LogicalKind::kScan) return node;
    const auto& scan = As<LogicalScan>(*node);
    if (scan.object->kind() != v1::OBJECT_KIND_MATERIALIZED_VIEW) return node;
    if (scan.as_of_epoch.has_value()) {
      status = MakeError(SqlState::kFeatureNotSupported,
                         "AS OF EPOCH is not supported in a materialized view");
      return node;
    }
    absl::StatusOr<LogicalPtr> inner = BindStoredQuery(*scan.object, *moment.catalog, moment.bind);
    if (inner.ok()) inner = ExpandViews(*inner, moment);
    if (!inner.ok()) {
      status = inner.status();
      return node;
    }
    LogicalPtr plan = *std::move(inner);
    plan = MakeColumnProject(std::move(plan), scan.columns);
    if (scan.filter != nullptr) plan = MakeFilter(std::move(plan), SplitConjunction(scan.filter));
    return plan;
  });
  MR_RETURN_IF_ERROR(status);
  return expanded;
}

// So few combinations of rows are read faster by one task than tasks are started for them.
constexpr double kOneTaskRowsMax = 50'000;

// The rows that the scans of a query can be combined to, at most; infinity unless it reads nothing
// but constants and stored tables.
double RowCombinations(const LogicalNode& node) {
  if (node.kind == LogicalKind::kValues) {
    return static_cast<double>(std::max<size_t>(As<LogicalValues>(node).rows.size(), 1));
  }
  if (node.kind == LogicalKind::kScan) {
    const v1::CatalogObject& object = *As<LogicalScan>(node).object;
    if (object.kind() != v1::OBJECT_KIND_TABLE) return std::numeric_limits<double>::infinity();
    double rows = 1;
    for (const v1::TableSegment& segment : object.table_version().segments()) {
      rows += static_cast<double>(segment.rows());
    }
    return rows;
  }
  double combinations = 1;
  for (const LogicalPtr& input : node.inputs) combinations *= RowCombinations(*input);
  return combinations;
}

// One file is written by one task.
bool WritesSingleFile(const PlanTarget& target) {
  const auto* file = std::get_if<FileSinkTarget>(&target);
  if (file == nullptr || file->connector != "file") return false;
  const absl::StatusOr<FileOptions> options = ParseFileOptions(file->options);
  return options.ok() && options->names_single_file();
}

std::vector<SlotOffer> OffersOf(const ClusterParts& parts) {
  std::vector<SlotOffer> offers;
  for (const WorkerEntry& worker : parts.registry.Active()) {
    offers.push_back({worker.id, worker.slots});
  }
  return offers;
}

absl::StatusOr<uint32_t> RequestedParallelism(const StatementContext& context,
                                              const std::vector<SlotOffer>& offers) {
  MR_ASSIGN_OR_RETURN(const SessionSettings settings, ParseSessionSettings(context.settings));
  return settings.parallelism > 0 ? settings.parallelism : DefaultParallelism(offers);
}

void ChooseSingleFile(PlanTarget& target) {
  if (WritesSingleFile(target)) std::get<FileSinkTarget>(target).single_file = true;
}

}  // namespace

absl::Status CheckPlanSize(const v1::PhysicalPlan& plan) {
  size_t num_nodes = 0;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&num_nodes](const v1::PlanNode&) { ++num_nodes; });
  }
  const size_t bytes = plan.ByteSizeLong();
  if (num_nodes <= kPlanNodesMax && bytes <= kPlanBytesMax) return absl::OkStatus();
  return MakeError(
      SqlState::kStatementTooComplex,
      absl::StrCat("the plan has ", num_nodes, " operators and ", bytes, " bytes, at most ",
                   kPlanNodesMax, " and ", kPlanBytesMax, " are allowed"),
      "split the statement, or store intermediate results in tables");
}

absl::StatusOr<PlanPtr> PlanStatement(PlanRequest request, const ClusterParts& parts,
                                      const StatementContext& context,
                                      const StatementMoment& moment) {
  if (request.mode != PlanMode::kBounded) {
    std::vector<StreamRequest> requests;
    requests.push_back({std::move(request), context.step});
    MR_ASSIGN_OR_RETURN(const StreamPlan plan,
                        PlanStreamJob(std::move(requests), parts, context, moment));
    return std::make_shared<const v1::PhysicalPlan>(SpreadPlan(*plan.planned, plan.parallelism));
  }
  const std::vector<SlotOffer> offers = OffersOf(parts);
  PlanOptions options;
  MR_ASSIGN_OR_RETURN(options.parallelism, RequestedParallelism(context, offers));
  options.step = context.step;
  if (parts.statistics != nullptr) {
    options.statistics = [&parts](const v1::CatalogObject& object) {
      return parts.statistics->Of(object);
    };
  }
  MR_ASSIGN_OR_RETURN(const LogicalPtr plan, FillSystemViews(request.query, parts));
  if (context.settings.find("parallelism") == context.settings.end() &&
      RowCombinations(*plan) <= kOneTaskRowsMax) {
    options.parallelism = 1;
  }
  // The rows of a view lie on all workers, and each must have a task that reads them.
  if (ReadsView(*plan)) {
    const size_t keepers = parts.registry.Connected().size();
    options.parallelism = std::max(options.parallelism, static_cast<uint32_t>(keepers));
  }
  ChooseSingleFile(request.target);
  options.target = std::move(request.target);
  MR_ASSIGN_OR_RETURN(v1::PhysicalPlan physical, PlanQuery(plan, options));
  MR_RETURN_IF_ERROR(CheckPlanSize(physical));
  return std::make_shared<const v1::PhysicalPlan>(std::move(physical));
}

absl::StatusOr<StreamPlan> PlanStreamJob(std::vector<StreamRequest> requests,
                                         const ClusterParts& parts, const StatementContext& context,
                                         const StatementMoment& moment) {
  const std::vector<SlotOffer> offers = OffersOf(parts);
  PlanOptions options;
  options.streaming = true;
  StreamPlan plan;
  MR_ASSIGN_OR_RETURN(plan.parallelism, RequestedParallelism(context, offers));
  options.parallelism = std::max(plan.parallelism, 2U);
  options.num_shards = DefaultNumShards(offers, options.parallelism);
  std::vector<StreamQuery> queries;
  for (StreamRequest& statement : requests) {
    PlanRequest& request = statement.request;
    if (ReadsSystemView(*request.query)) return NotSupported("following a system view");
    StreamQuery query;
    MR_ASSIGN_OR_RETURN(query.query, ExpandViews(request.query, moment));
    query.emit_on_window_close = request.mode == PlanMode::kStreamOnWindowClose;
    query.step = statement.step;
    query.positions = request.positions;
    ChooseSingleFile(request.target);
    query.target = std::move(request.target);
    queries.push_back(std::move(query));
  }
  MR_ASSIGN_OR_RETURN(v1::PhysicalPlan physical, PlanStream(queries, options));
  MR_RETURN_IF_ERROR(CheckPlanSize(physical));
  plan.planned = std::make_shared<const v1::PhysicalPlan>(std::move(physical));
  return plan;
}

bool IsUnbounded(const LogicalNode& query) {
  if (query.kind == LogicalKind::kScan) {
    const v1::CatalogObject& object = *As<LogicalScan>(query).object;
    if (object.connector() == "file") {
      const auto options = ParseFileOptions(ToOptionMap(object.options()));
      return options.ok() && options->follow;
    }
    if (object.connector() == "kafka") return !object.options().contains("stop");
    return object.connector() == "datagen" && !object.options().contains("rows");
  }
  return std::any_of(query.inputs.begin(), query.inputs.end(),
                     [](const LogicalPtr& input) { return IsUnbounded(*input); });
}

}  // namespace millrace
