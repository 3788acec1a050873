#include "coordinator/service/write_statements.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/connector_spec/connector_options.h"
#include "common/connector_spec/file_options.h"
#include "common/logging/log.h"
#include "coordinator/service/definition_statements.h"
#include "coordinator/service/file_commits.h"
#include "coordinator/service/file_definition.h"
#include "coordinator/service/table_segments.h"
#include "coordinator/service/table_upkeep.h"
#include "coordinator/service/worker_wait.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

Schema ColumnsOf(const v1::CatalogObject& object) {
  Schema columns;
  for (const v1::Field& field : object.columns()) columns.push_back(FromProto(field));
  return columns;
}

StatementResult Stored(std::string tag, uint64_t rows, std::string stored_at) {
  StatementResult result = Done(std::move(tag));
  result.rows = rows;
  result.stored_at = std::move(stored_at);
  return result;
}

}  // namespace

absl::StatusOr<FileSinkTarget> FileTarget(const PathPolicy& policy, const v1::CatalogObject& target,
                                          const Schema& output) {
  if (target.kind() != v1::OBJECT_KIND_SOURCE || target.connector() == kSystemConnector ||
      target.connector() == "datagen") {
    return MakeError(SqlState::kWrongObjectType,
                     absl::StrCat("cannot insert into \"", target.name(), "\""));
  }
  FileSinkTarget sink;
  sink.object_id = target.id();
  sink.table_name = target.name();
  sink.connector = target.connector();
  sink.options = ToOptionMap(target.options());
  if (const auto path = sink.options.find("path"); path != sink.options.end()) {
    MR_RETURN_IF_ERROR(policy.CheckFile(path->second));
  }
  sink.columns = target.columns().empty() ? output : ColumnsOf(target);
  return sink;
}

absl::Status KeepColumns(Catalog& catalog, const v1::CatalogObject& target, const Schema& output) {
  if (!target.columns().empty()) return absl::OkStatus();
  return catalog.Update(target.id(), [&output](v1::CatalogObject& record) {
    if (!record.columns().empty()) return;
    for (const Field& field : output) ToProto(field, record.add_columns());
  });
}

absl::StatusOr<BoundedResult> WriteStatements::RunInto(const LogicalPtr& plan, PlanTarget target) {
  MR_RETURN_IF_ERROR(AwaitWorker(parts_, context_));
  MR_ASSIGN_OR_RETURN(PlanPtr physical, PlanStatement({plan, PlanMode::kBounded, std::move(target)},
                                                      parts_, context_, moment_));
  BoundedRunner runner(parts_, context_);
  return runner.RunSink({std::move(physical), moment_.catalog});
}

absl::StatusOr<StatementResult> WriteStatements::RunIntoFiles(const LogicalPtr& plan,
                                                              FileSinkTarget target,
                                                              std::string tag) {
  const auto path = target.options.find("path");
  std::string stored_at = path == target.options.end() ? target.table_name : path->second;
  MR_RETURN_IF_ERROR(AwaitWorker(parts_, context_));
  MR_ASSIGN_OR_RETURN(PlanPtr physical, PlanStatement({plan, PlanMode::kBounded, std::move(target)},
                                                      parts_, context_, moment_));
  MR_ASSIGN_OR_RETURN(const uint64_t job_id, parts_.job_ids.Next());
  MR_RETURN_IF_ERROR(parts_.file_commits.Begin(job_id, *physical));
  BoundedRunner runner(parts_, context_);
  const absl::StatusOr<BoundedResult> run =
      runner.RunSink({.plan = std::move(physical), .catalog = moment_.catalog, .job_id = job_id});
  if (!run.ok()) {
    parts_.file_commits.Abandon(job_id);
    return run.status();
  }
  StatementResult stored = Stored(std::move(tag), run->rows, std::move(stored_at));
  const absl::Status committed =
      parts_.file_commits.Commit(job_id, run->staged_files, RecordOf(context_, stored));
  if (!committed.ok()) {
    parts_.file_commits.Abandon(job_id);
    return committed;
  }
  return stored;
}

absl::StatusOr<StatementResult> WriteStatements::CreateTableAs(
    const BoundCreateTableAs& statement) {
  v1::CatalogObject object;
  object.set_name(statement.name);
  object.set_kind(v1::OBJECT_KIND_TABLE);
  object.set_state(v1::OBJECT_STATE_CREATING);
  for (const Field& column : statement.plan->output) ToProto(column, object.add_columns());
  absl::StatusOr<CatalogObjectPtr> created =
      CreateObject(parts_.catalog, std::move(object), statement.if_not_exists, context_.sink);
  if (!created.ok()) return WithPosition(created.status(), statement.name_position);
  if (*created == nullptr) return Done("CREATE TABLE AS");
  const uint64_t id = (*created)->id();
  const auto store = [&]() -> absl::StatusOr<StatementResult> {
    MR_ASSIGN_OR_RETURN(TableSinkTarget target,
                        MakeTableTarget(parts_, id, statement.plan->output));
    MR_ASSIGN_OR_RETURN(const BoundedResult run, RunInto(statement.plan, std::move(target)));
    MR_ASSIGN_OR_RETURN(const std::vector<v1::TableSegment> segments, StagedSegments(parts_, run));
    StatementResult stored =
        Stored("CREATE TABLE AS", run.rows, absl::StrCat("table ", statement.name));
    MR_RETURN_IF_ERROR(parts_.catalog.CompleteCreate(
        id, [&](v1::CatalogObject& table) { AddSegments(segments, table.mutable_table_version()); },
        RecordOf(context_, stored)));
    return stored;
  };
  absl::StatusOr<StatementResult> stored = store();
  if (stored.ok()) return stored;
  absl::Status undone = RemoveTableFolder(parts_.data_dir, id);
  if (undone.ok()) undone = parts_.catalog.Remove({id});
  if (!undone.ok()) LogError("catalog", "cannot undo CREATE TABLE AS", undone);
  return stored;
}

absl::StatusOr<StatementResult> WriteStatements::Insert(const v1::CatalogObject& target,
                                                        const LogicalPtr& plan, std::string tag) {
  if (target.kind() == v1::OBJECT_KIND_TABLE) {
    return InsertIntoTable(target, plan, std::move(tag));
  }
  return InsertIntoFiles(target, plan, std::move(tag));
}

absl::StatusOr<StatementResult> WriteStatements::InsertIntoTable(const v1::CatalogObject& target,
                                                                 const LogicalPtr& plan,
                                                                 std::string tag) {
  MR_ASSIGN_OR_RETURN(TableSinkTarget sink,
                      MakeTableTarget(parts_, target.id(), ColumnsOf(target)));
  MR_ASSIGN_OR_RETURN(const BoundedResult run, RunInto(plan, std::move(sink)));
  MR_ASSIGN_OR_RETURN(const std::vector<v1::TableSegment> segments, StagedSegments(parts_, run));
  StatementResult stored = Stored(std::move(tag), run.rows, absl::StrCat("table ", target.name()));
  const absl::Status appended =
      parts_.catalog.AppendSegments(target.id(), segments, RecordOf(context_, stored));
  if (!appended.ok()) {
    // After another error the version may be there: only the next start can tell.
    const bool dropped = GetErrorDetail(appended).state == SqlState::kUndefinedTable;
    if (dropped) RemoveFiles(run.staged_files);
    return appended;
  }
  if (segments.empty()) return stored;
  parts_.streams.OnTableChanged(target.id());
  if (parts_.upkeep != nullptr) parts_.upkeep->OnCommit(target.id());
  return stored;
}

absl::StatusOr<StatementResult> WriteStatements::InsertIntoFiles(const v1::CatalogObject& target,
                                                                 const LogicalPtr& plan,
                                                                 std::string tag) {
  MR_ASSIGN_OR_RETURN(FileSinkTarget sink, FileTarget(parts_.path_policy, target, plan->output));
  const Schema columns = sink.columns;
  MR_ASSIGN_OR_RETURN(StatementResult stored, RunIntoFiles(plan, std::move(sink), std::move(tag)));
  MR_RETURN_IF_ERROR(KeepColumns(parts_.catalog, target, columns));
  return stored;
}

absl::StatusOr<StatementResult> WriteStatements::CopyTo(const BoundCopyTo& statement) {
  FileSinkTarget sink;
  MR_ASSIGN_OR_RETURN(sink.object_id, parts_.job_ids.Next());
  sink.table_name = statement.path;
  sink.connector = "file";
  sink.options = statement.options;
  sink.options["connector"] = "file";
  sink.options["path"] = statement.path;
  // COPY writes one file whatever it is called, unless a folder is asked for.
  const bool wants_folder =
      absl::EndsWith(statement.path, "/") || sink.options.contains("rows_per_file");
  if (!wants_folder) sink.options.emplace("single_file", "true");
  sink.columns = statement.plan->output;
  const absl::Status resolved =
      ResolvePath(parts_.path_policy, context_.working_directory, sink.options);
  if (!resolved.ok()) return WithPosition(resolved, statement.path_position);
  MR_RETURN_IF_ERROR(ValidateDefinition(sink.options, sink.columns));
  return RunIntoFiles(statement.plan, std::move(sink), "COPY");
}

}  // namespace millrace
