#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/planner/physical_builder.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

const Field kCountField{"count", SqlType::Of(TypeId::kInt64)};

bool TakesChanges(const FileSinkTarget& target) {
  return target.connector == "blackhole" || target.connector == "print";
}

void SetTableSink(const TableSinkTarget& target, v1::PlanNode* node) {
  v1::TableSinkNode* op = node->mutable_table_sink();
  op->set_object_id(target.object_id);
  for (const Field& field : target.columns) ToProto(field, op->add_columns());
  op->set_staging_path(target.staging_path);
}

void SetFileSink(const FileSinkTarget& target, v1::PlanNode* node) {
  v1::FileSinkNode* op = node->mutable_file_sink();
  op->set_table_name(target.table_name);
  op->mutable_options()->insert(target.options.begin(), target.options.end());
  op->mutable_options()->insert({"connector", target.connector});
  for (const Field& field : target.columns) ToProto(field, op->add_columns());
  op->set_object_id(target.object_id);
}

}  // namespace

absl::StatusOr<Relation> PhysicalBuilder::AddTarget(Relation query, const Schema& names) {
  query.schema = names;
  if (std::holds_alternative<ResultTarget>(options_.target)) {
    if (options_.streaming) return InternalError("a streaming job has no result for a client");
    return query;
  }
  return options_.streaming ? AddStreamSink(std::move(query)) : AddBoundedSink(std::move(query));
}

// Every task writes its rows; the counts are added up in one.
absl::StatusOr<Relation> PhysicalBuilder::AddBoundedSink(Relation query) {
  if (std::holds_alternative<ViewSinkTarget>(options_.target)) {
    return InternalError("a view is kept by a streaming job");
  }
  const auto* file = std::get_if<FileSinkTarget>(&options_.target);
  if (file != nullptr && file->single_file) query = fragments_->ToSingle(std::move(query));
  Relation counts = OnTop(std::move(query), [&](v1::PlanNode* node) {
    if (const auto* table = std::get_if<TableSinkTarget>(&options_.target)) {
      SetTableSink(*table, node);
    } else {
      SetFileSink(*file, node);
    }
  });
  counts.schema = {kCountField};
  counts.hashed_by.clear();
  counts.estimate = Estimate{static_cast<double>(counts.parallelism), true, {}};
  // The accumulator of count(*) is a bigint, so finishing it adds the counts up.
  LogicalAggregate sum;
  sum.aggregates = {{AggregateFunction::kCountStar, {0}, false, {}, kCountField.type}};
  sum.output = {kCountField};
  v1::HashAggregateNode base;
  base.set_phase(v1::AGGREGATE_PHASE_FINAL);
  base.add_arg_types();
  Relation total = AggregateNode(fragments_->ToSingle(std::move(counts)), sum, std::move(base));
  total.estimate = Estimate{1, true, {}};
  return total;
}

absl::StatusOr<Relation> PhysicalBuilder::AddStreamSink(Relation query) {
  if (std::holds_alternative<TableSinkTarget>(options_.target)) {
    return WithPosition(
        MakeError(SqlState::kFeatureNotSupported,
                  "inserting into a stored table from unbounded input is not supported",
                  "create a materialized view"),
        options_.positions.target);
  }
  if (options_.emit_on_window_close && query.changing) {
    return WithPosition(
        MakeError(SqlState::kFeatureNotSupported,
                  "EMIT ON WINDOW CLOSE is not supported for a query whose rows change after "
                  "their window has closed",
                  "use aggregations and inner joins on window_start and window_end only"),
        options_.positions.emit);
  }
  if (const auto* file = std::get_if<FileSinkTarget>(&options_.target)) {
    if (query.changing && !TakesChanges(*file)) {
      const std::string sink = file->connector == "kafka" ? "topic" : "file sink";
      return WithPosition(
          MakeError(
              SqlState::kFeatureNotSupported,
              absl::StrCat("a ", sink, " cannot take rows back, but this query's rows change"),
              "group by a window and add EMIT ON WINDOW CLOSE, or write an append-only "
              "query"),
          options_.positions.target);
    }
    if (file->single_file) query = fragments_->ToSingle(std::move(query));
    return OnTop(std::move(query), [&](v1::PlanNode* node) { SetFileSink(*file, node); });
  }
  return AddViewSink(std::move(query));
}

// A row of a view lies with the shard of its key, so that what takes it back meets it there.
Relation PhysicalBuilder::AddViewSink(Relation query) {
  const auto& target = std::get<ViewSinkTarget>(options_.target);
  const std::vector<int> key = query.key.value_or(std::vector<int>());
  const std::vector<int> spread = key.empty() ? ShiftMapping(query.width(), 0) : key;
  // What is gathered in one task (a top-n, a total) is small.
  if (!query.single() && !fragments_->IsSpreadBy(query, spread)) {
    query = fragments_->ToHash(std::move(query), spread);
  }
  const bool single = query.single();
  return OnTop(std::move(query), [&](v1::PlanNode* node) {
    v1::ViewSinkNode* op = node->mutable_view_sink();
    op->set_object_id(target.object_id);
    op->set_view_name(target.name);
    for (int column : key) op->add_key_columns(column);
    if (single) return;
    for (int column : spread) op->add_shard_columns(column);
  });
}

}  // namespace millrace
