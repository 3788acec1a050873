#include "coordinator/service/write_statements.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/connector_spec/connector_options.h"
#include "common/connector_spec/file_options.h"
#include "common/logging/log.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "coordinator/service/definition_statements.h"
#include "coordinator/service/file_definition.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

Schema ColumnsOf(const v1::CatalogObject& object) {
  Schema columns;
  for (const v1::Field& field : object.columns()) columns.push_back(FromProto(field));
  return columns;
}

absl::Status CommitFiles(const BoundedResult& result) {
  if (result.staged_files.empty()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(result.staged_files[0].final_path()));
  return CommitStagedFiles(*file_system, result.staged_files);
}

void RemoveFiles(const std::vector<v1::StagedFile>& files) {
  for (const v1::StagedFile& file : files) {
    auto file_system = FileSystemOf(file.final_path());
    if (file_system.ok()) (*file_system)->Remove(file.final_path()).IgnoreError();
  }
}

StatementResult Stored(std::string tag, uint64_t rows, std::string stored_at) {
  StatementResult result = Done(std::move(tag));
  result.rows = rows;
  result.stored_at = std::move(stored_at);
  return result;
}

}  // namespace

absl::StatusOr<FileSinkTarget> FileTarget(const v1::CatalogObject& target, const Schema& output) {
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
  MR_ASSIGN_OR_RETURN(PlanPtr physical, PlanStatement({plan, PlanMode::kBounded, std::move(target)},
                                                      parts_, context_, moment_));
  BoundedRunner runner(parts_, context_);
  return runner.RunSink({std::move(physical), moment_.catalog});
}

absl::StatusOr<TableSinkTarget> WriteStatements::TableTarget(uint64_t object_id,
                                                             const Schema& columns) const {
  TableSinkTarget target;
  target.object_id = object_id;
  target.columns = columns;
  target.staging_path = TableFolder(parts_.data_dir, object_id);
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(parts_.data_dir));
  MR_RETURN_IF_ERROR(file_system->CreateFolders(target.staging_path));
  return target;
}

absl::StatusOr<std::vector<v1::TableSegment>> WriteStatements::CommitSegments(
    const BoundedResult& result) const {
  MR_RETURN_IF_ERROR(CommitFiles(result));
  MR_FAILPOINT("table.before_version");
  const std::string prefix = JoinPath(parts_.data_dir, "");
  std::vector<v1::TableSegment> segments;
  for (const v1::StagedFile& file : result.staged_files) {
    if (!absl::StartsWith(file.final_path(), prefix)) {
      return InternalError(absl::StrCat("segment lies outside of data.dir: ", file.final_path()));
    }
    v1::TableSegment segment;
    segment.set_path(file.final_path().substr(prefix.size()));
    segment.set_rows(file.rows());
    segment.set_size_bytes(file.size_bytes());
    segment.set_checksum_xxh3(file.checksum_xxh3());
    segments.push_back(std::move(segment));
  }
  return segments;
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
  const auto run = [&]() -> absl::StatusOr<uint64_t> {
    MR_ASSIGN_OR_RETURN(TableSinkTarget target, TableTarget(id, statement.plan->output));
    MR_ASSIGN_OR_RETURN(const BoundedResult result, RunInto(statement.plan, std::move(target)));
    MR_ASSIGN_OR_RETURN(const std::vector<v1::TableSegment> segments, CommitSegments(result));
    MR_RETURN_IF_ERROR(parts_.catalog.CompleteCreate(id, [&](v1::CatalogObject& table) {
      table.mutable_table_version()->set_version(1);
      for (const v1::TableSegment& segment : segments) {
        *table.mutable_table_version()->add_segments() = segment;
      }
    }));
    return result.rows;
  };
  const absl::StatusOr<uint64_t> rows = run();
  if (rows.ok()) return Stored("CREATE TABLE AS", *rows, absl::StrCat("table ", statement.name));
  absl::Status undone = RemoveTableFolder(parts_.data_dir, id);
  if (undone.ok()) undone = parts_.catalog.Remove({id});
  if (!undone.ok()) LogError("catalog", "cannot undo CREATE TABLE AS", undone);
  return rows.status();
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
  MR_ASSIGN_OR_RETURN(TableSinkTarget sink, TableTarget(target.id(), ColumnsOf(target)));
  MR_ASSIGN_OR_RETURN(const BoundedResult result, RunInto(plan, std::move(sink)));
  MR_ASSIGN_OR_RETURN(const std::vector<v1::TableSegment> segments, CommitSegments(result));
  const absl::Status appended = parts_.catalog.AppendSegments(target.id(), segments);
  if (!appended.ok()) {
    RemoveFiles(result.staged_files);
    return appended;
  }
  return Stored(std::move(tag), result.rows, absl::StrCat("table ", target.name()));
}

absl::StatusOr<StatementResult> WriteStatements::InsertIntoFiles(const v1::CatalogObject& target,
                                                                 const LogicalPtr& plan,
                                                                 std::string tag) {
  MR_ASSIGN_OR_RETURN(FileSinkTarget sink, FileTarget(target, plan->output));
  const Schema columns = sink.columns;
  std::string stored_at = target.name();
  if (const auto path = sink.options.find("path"); path != sink.options.end()) {
    stored_at = path->second;
  }
  MR_ASSIGN_OR_RETURN(const BoundedResult result, RunInto(plan, std::move(sink)));
  MR_RETURN_IF_ERROR(CommitFiles(result));
  MR_RETURN_IF_ERROR(KeepColumns(parts_.catalog, target, columns));
  return Stored(std::move(tag), result.rows, std::move(stored_at));
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
  std::string stored_at = sink.options["path"];
  MR_ASSIGN_OR_RETURN(const BoundedResult result, RunInto(statement.plan, std::move(sink)));
  MR_RETURN_IF_ERROR(CommitFiles(result));
  return Stored("COPY", result.rows, std::move(stored_at));
}

}  // namespace millrace
