#include "coordinator/planner/physical_builder.h"

#include <algorithm>
#include <deque>

#include "common/base/status.h"
#include "coordinator/planner/rules/logical_build.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

namespace {

constexpr size_t kUnionInputsMax = 16;

bool ReadsWatermark(const LogicalNode& node) {
  if (node.kind == LogicalKind::kScan) return As<LogicalScan>(node).object->has_watermark();
  return std::any_of(node.inputs.begin(), node.inputs.end(),
                     [](const LogicalPtr& input) { return ReadsWatermark(*input); });
}

}  // namespace

PhysicalBuilder::PhysicalBuilder(const PlanOptions& options, FragmentBuilder* fragments,
                                 SharedParts* shared)
    : options_(options), fragments_(fragments), shared_(shared), estimator_(options.statistics) {}

absl::StatusOr<Relation> PhysicalBuilder::Build(const LogicalPtr& node) {
  if (shared_ != nullptr && shared_->nodes.contains(node.get())) return BuildShared(node);
  absl::StatusOr<Relation> built = BuildNode(node);
  if (!built.ok()) return built;
  // A stream's plan must not depend on how much there is today.
  if (options_.streaming) {
    built->estimate.known = false;
  } else {
    built->estimate = estimator_.EstimateOf(*node);
  }
  return built;
}

// The first reader builds it; every reader gets its rows through an exchange.
absl::StatusOr<Relation> PhysicalBuilder::BuildShared(const LogicalPtr& node) {
  auto found = shared_->built.find(node.get());
  if (found == shared_->built.end()) {
    MR_ASSIGN_OR_RETURN(Relation built, BuildNode(node));
    built.estimate.known = false;
    found = shared_->built.emplace(node.get(), fragments_->Share(std::move(built))).first;
  }
  has_watermark_ |= ReadsWatermark(*node);
  return fragments_->ReadShared(found->second);
}

absl::StatusOr<Relation> PhysicalBuilder::BuildNode(const LogicalPtr& node) {
  switch (node->kind) {
    case LogicalKind::kScan:
      return BuildScan(As<LogicalScan>(*node));
    case LogicalKind::kValues:
      return BuildValues(As<LogicalValues>(*node));
    case LogicalKind::kFilter:
      return BuildFilter(As<LogicalFilter>(*node));
    case LogicalKind::kProject:
      return BuildProject(As<LogicalProject>(*node));
    case LogicalKind::kAggregate:
      return BuildAggregate(As<LogicalAggregate>(*node));
    case LogicalKind::kJoin:
      return BuildJoin(As<LogicalJoin>(*node));
    case LogicalKind::kOver:
      return BuildOver(As<LogicalOver>(*node));
    case LogicalKind::kSort:
      return BuildSort(As<LogicalSort>(*node));
    case LogicalKind::kLimit:
      return BuildLimit(As<LogicalLimit>(*node));
    case LogicalKind::kUnionAll:
      return BuildUnionAll(As<LogicalUnionAll>(*node));
    case LogicalKind::kWindowTvf:
      return BuildWindowTvf(As<LogicalWindowTvf>(*node));
  }
  return InternalError("unknown kind of logical node");
}

absl::StatusOr<Relation> PhysicalBuilder::BuildFilter(const LogicalFilter& filter) {
  if (const auto match = MatchGroupTopN(filter); match.has_value()) {
    return BuildGroupTopN(*match, /*with_number=*/true);
  }
  MR_ASSIGN_OR_RETURN(Relation input, Build(filter.inputs[0]));
  return Filter(std::move(input), filter.predicate);
}

Relation PhysicalBuilder::Filter(Relation input, const ExprPtr& predicate) {
  return OnTop(std::move(input), [&](v1::PlanNode* node) {
    ToProto(*predicate, node->mutable_filter()->mutable_predicate());
  });
}

absl::StatusOr<Relation> PhysicalBuilder::BuildProject(const LogicalProject& project) {
  // A top-n per group need not keep its row numbers if nobody looks at them.
  if (project.inputs[0]->kind == LogicalKind::kFilter) {
    const auto match = MatchGroupTopN(As<LogicalFilter>(*project.inputs[0]));
    if (match.has_value() && match->rest.empty()) {
      const int number = Width(*project.inputs[0]) - 1;
      const bool unused =
          std::all_of(project.exprs.begin(), project.exprs.end(),
                      [&](const ExprPtr& expr) { return ColumnsWithin(*expr, 0, number); });
      MR_ASSIGN_OR_RETURN(Relation input, BuildGroupTopN(*match, !unused));
      return Project(std::move(input), project.exprs, project.output);
    }
  }
  MR_ASSIGN_OR_RETURN(Relation input, Build(project.inputs[0]));
  return Project(std::move(input), project.exprs, project.output);
}

Relation PhysicalBuilder::Project(Relation input, const std::vector<ExprPtr>& exprs,
                                  Schema schema) {
  std::vector<int> mapping(input.width(), -1);
  for (size_t i = 0; i < exprs.size(); ++i) {
    if (exprs[i]->kind != ExprKind::kColumn) continue;
    int& position = mapping[exprs[i]->column_index];
    if (position < 0) position = static_cast<int>(i);
  }
  Relation projected = OnTop(std::move(input), [&](v1::PlanNode* node) {
    // A projection to no columns at all (count(*) counts rows only) is a projection too.
    v1::ProjectNode* project = node->mutable_project();
    for (const ExprPtr& expr : exprs) ToProto(*expr, project->add_exprs());
  });
  projected.schema = std::move(schema);
  RemapTraits(mapping, &projected);
  return projected;
}

Relation PhysicalBuilder::ProjectColumns(Relation input, const std::vector<int>& columns) {
  std::vector<ExprPtr> exprs;
  Schema schema;
  for (int column : columns) {
    exprs.push_back(MakeColumn(column, input.schema[column].type));
    schema.push_back(input.schema[column]);
  }
  return Project(std::move(input), exprs, std::move(schema));
}

Relation PhysicalBuilder::Extend(Relation input, const std::vector<ExprPtr>& exprs,
                                 const std::string& name) {
  if (exprs.empty()) return input;
  std::vector<ExprPtr> all = ColumnRefs(input.schema);
  Schema schema = input.schema;
  for (const ExprPtr& expr : exprs) {
    all.push_back(expr);
    schema.push_back({name, expr->type});
  }
  return Project(std::move(input), all, std::move(schema));
}

absl::StatusOr<Relation> PhysicalBuilder::BuildUnionAll(const LogicalUnionAll& all) {
  std::vector<Relation> inputs;
  bool parallel = false;
  for (const LogicalPtr& input : all.inputs) {
    MR_ASSIGN_OR_RETURN(Relation built, Build(input));
    parallel |= !built.single();
    inputs.push_back(std::move(built));
  }
  Relation united;
  united.schema = all.output;
  std::vector<Relation*> pointers;
  for (Relation& input : inputs) {
    if (parallel && input.single()) input = fragments_->ToRoundRobin(std::move(input));
    united.parallelism = input.parallelism;
    united.changing |= input.changing;
    pointers.push_back(&input);
  }
  united.hashed_by = inputs[0].hashed_by;
  united.times = inputs[0].times;
  for (const Relation& input : inputs) {
    std::erase_if(united.hashed_by, [&](const std::vector<int>& columns) {
      const auto& theirs = input.hashed_by;
      return std::find(theirs.begin(), theirs.end(), columns) == theirs.end();
    });
    std::erase_if(united.times, [&](const auto& entry) {
      const auto found = input.times.find(entry.first);
      return found == input.times.end() || !(found->second == entry.second);
    });
  }
  // A task keeps sets of an operator's inputs in a word: many become a tree.
  std::deque<Relation> parts;
  while (pointers.size() > kUnionInputsMax) {
    std::vector<Relation*> level;
    for (size_t begin = 0; begin < pointers.size(); begin += kUnionInputsMax) {
      const size_t end = std::min(begin + kUnionInputsMax, pointers.size());
      Relation& part = parts.emplace_back(TraitsOf(united));
      part.node = fragments_->NewNode({pointers.begin() + begin, pointers.begin() + end});
      part.node->mutable_union_all();
      level.push_back(&part);
    }
    pointers = std::move(level);
  }
  united.node = fragments_->NewNode(pointers);
  united.node->mutable_union_all();
  return united;
}

absl::StatusOr<Relation> PhysicalBuilder::BuildWindowTvf(const LogicalWindowTvf& tvf) {
  MR_ASSIGN_OR_RETURN(Relation input, Build(tvf.inputs[0]));
  const int input_width = input.width();
  const auto time = input.times.find(tvf.time_column);
  const bool follows_time =
      time != input.times.end() && time->second.role == TimeColumn::Role::kRowTime;
  Relation windowed = OnTop(std::move(input), [&](v1::PlanNode* node) {
    v1::WindowTvfNode* op = node->mutable_window_tvf();
    op->set_kind(static_cast<v1::WindowTvfNode::Kind>(tvf.window));
    op->set_time_column(tvf.time_column);
    op->set_size_micros(tvf.size_micros);
    op->set_slide_micros(tvf.slide_micros);
    op->set_offset_micros(tvf.offset_micros);
  });
  windowed.schema = tvf.output;
  if (windowed.key.has_value() && tvf.window != WindowKind::kTumble) {
    windowed.key->insert(windowed.key->end(), {input_width, input_width + 1});
  }
  if (follows_time) {
    TimeColumn bound{TimeColumn::Role::kWindowStart, tvf.window, tvf.size_micros};
    windowed.times.emplace(input_width, bound);
    bound.role = TimeColumn::Role::kWindowEnd;
    windowed.times.emplace(input_width + 1, bound);
  }
  return windowed;
}

}  // namespace millrace
