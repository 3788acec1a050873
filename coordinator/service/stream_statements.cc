#include "coordinator/service/stream_statements.h"

#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/units.h"
#include "common/logging/log.h"
#include "coordinator/service/bounded_runner.h"
#include "coordinator/service/definition_statements.h"
#include "coordinator/service/session_settings.h"
#include "coordinator/service/write_statements.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

absl::Status CheckInterval(const char* name, int64_t micros) {
  constexpr int64_t kMinMicros = 10'000;
  if (micros >= kMinMicros) return absl::OkStatus();
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("setting \"", name, "\" must be at least 10 ms"));
}

}  // namespace

absl::StatusOr<v1::JobRecord> StreamStatements::MakeRecord(
    uint64_t job_id, const std::string& name, const std::vector<uint64_t>& object_ids) const {
  v1::JobRecord record;
  record.set_id(job_id);
  record.set_name(name);
  record.set_sql(text_);
  record.set_state(v1::JOB_STATE_CREATED);
  record.set_streaming(true);
  record.set_parent_job_id(context_.parent_job_id);
  record.set_working_directory(context_.working_directory);
  record.set_created_at_micros(parts_.clock.WallMicros());
  record.mutable_settings()->insert(context_.settings.begin(), context_.settings.end());
  for (uint64_t id : object_ids) record.add_object_ids(id);
  absl::StatusOr<v1::JobRecord> created = parts_.job_store.Create(record);
  if (created.ok() || GetErrorDetail(created.status()).state != SqlState::kDuplicateTable) {
    return created;
  }
  // A script may be called as its view.
  record.set_name(absl::StrCat(name, "-", job_id));
  return parts_.job_store.Create(std::move(record));
}

absl::Status StreamStatements::RunStream(uint64_t job_id, const std::string& name,
                                         const PlanPtr& plan,
                                         const std::vector<uint64_t>& object_ids) {
  MR_ASSIGN_OR_RETURN(const SessionSettings settings, ParseSessionSettings(context_.settings));
  StreamSpec spec;
  spec.job_id = job_id;
  spec.plan = plan;
  spec.settings = context_.settings;
  spec.options = parts_.stream_defaults;
  if (settings.epoch_interval_micros > 0) {
    spec.options.epoch_interval_micros = settings.epoch_interval_micros;
  }
  if (settings.checkpoint_interval_micros > 0) {
    spec.options.checkpoint_interval_micros = settings.checkpoint_interval_micros;
  }
  MR_RETURN_IF_ERROR(CheckInterval("epoch_interval", spec.options.epoch_interval_micros));
  MR_RETURN_IF_ERROR(CheckInterval("checkpoint_interval", spec.options.checkpoint_interval_micros));
  spec.memory_bytes_max =
      settings.query_memory_bytes > 0 ? settings.query_memory_bytes : parts_.query_memory_bytes;
  ReadSet read_set;
  read_set.catalog = moment_.catalog.get();
  MR_ASSIGN_OR_RETURN(spec.scans, parts_.splits.Enumerate(*plan, read_set));
  MR_ASSIGN_OR_RETURN(const v1::JobRecord record, MakeRecord(job_id, name, object_ids));
  spec.name = record.name();
  if (context_.on_job) context_.on_job(job_id);
  absl::Status status = parts_.streams.Start(std::move(spec));
  if (status.ok()) status = parts_.streams.WaitFirstEpoch(job_id, context_.cancellation);
  if (status.ok()) return status;
  const absl::Status undone = parts_.streams.Drop(job_id);
  if (!undone.ok()) LogError("job", "cannot undo the creation of a streaming job", undone);
  return status;
}

absl::StatusOr<StatementResult> StreamStatements::CreateMaterializedView(
    const BoundCreateView& statement) {
  MR_ASSIGN_OR_RETURN(const uint64_t job_id, parts_.job_ids.Next());
  v1::CatalogObject object;
  object.set_name(statement.name);
  object.set_kind(v1::OBJECT_KIND_MATERIALIZED_VIEW);
  object.set_state(v1::OBJECT_STATE_CREATING);
  object.set_job_id(job_id);
  object.set_query(statement.query);
  object.mutable_options()->insert(statement.options.begin(), statement.options.end());
  for (const Field& column : statement.plan->output) ToProto(column, object.add_columns());
  for (uint64_t id : statement.depends_on) object.add_depends_on(id);
  absl::StatusOr<CatalogObjectPtr> created =
      CreateObject(parts_.catalog, std::move(object), statement.if_not_exists, context_.sink);
  if (!created.ok()) return WithPosition(created.status(), statement.name_position);
  if (*created == nullptr) return Done("CREATE MATERIALIZED VIEW");
  const uint64_t view_id = (*created)->id();
  const PlanMode mode =
      statement.emit_on_window_close ? PlanMode::kStreamOnWindowClose : PlanMode::kStream;
  const auto run = [&]() -> absl::Status {
    MR_ASSIGN_OR_RETURN(const PlanPtr plan, PlanStatement({statement.plan, mode,
                                                           ViewSinkTarget{view_id, statement.name}},
                                                          parts_, context_, moment_));
    MR_RETURN_IF_ERROR(RunStream(job_id, statement.name, plan, {view_id}));
    const ViewTraits traits = ViewTraitsOf(*plan);
    return parts_.catalog.CompleteCreate(view_id, [&traits](v1::CatalogObject& view) {
      for (uint32_t column : traits.key) view.add_view_key(column);
      view.set_append_only(traits.append_only);
    });
  };
  const absl::Status status = run();
  if (!status.ok()) {
    const absl::Status undone = parts_.catalog.Remove({view_id});
    if (!undone.ok()) LogError("catalog", "cannot undo CREATE MATERIALIZED VIEW", undone);
    return status;
  }
  MR_RETURN_IF_ERROR(WarnOfStoredTables(*statement.plan));
  StatementResult result = Done("CREATE MATERIALIZED VIEW");
  result.stream_job_id = job_id;
  result.stored_at = absl::StrCat("view ", statement.name);
  return result;
}

absl::Status StreamStatements::WarnOfStoredTables(const LogicalNode& plan) const {
  const auto snapshot = parts_.catalog.Snapshot();
  for (const uint64_t id : ObjectsReadBy(plan)) {
    const CatalogObjectPtr object = snapshot->FindById(id);
    if (object == nullptr || object->kind() != v1::OBJECT_KIND_TABLE) continue;
    MR_RETURN_IF_ERROR(context_.sink.Notice(
        absl::StrCat("the view holds the rows that table \"", object->name(), "\" has now"),
        "rows inserted later are not followed; create the view again to take them in"));
  }
  return absl::OkStatus();
}

absl::StatusOr<StatementResult> StreamStatements::InsertStream(const BoundInsert& statement) {
  const v1::CatalogObject& target = *statement.target;
  if (target.kind() == v1::OBJECT_KIND_TABLE) {
    return NotSupported("inserting unbounded input into a stored table");
  }
  MR_ASSIGN_OR_RETURN(FileSinkTarget sink, FileTarget(target, statement.plan->output));
  const Schema columns = sink.columns;
  std::string stored_at = target.name();
  if (const auto path = sink.options.find("path"); path != sink.options.end()) {
    stored_at = path->second;
  }
  const PlanMode mode =
      statement.emit_on_window_close ? PlanMode::kStreamOnWindowClose : PlanMode::kStream;
  MR_ASSIGN_OR_RETURN(const uint64_t job_id, parts_.job_ids.Next());
  MR_ASSIGN_OR_RETURN(const PlanPtr plan, PlanStatement({statement.plan, mode, std::move(sink)},
                                                        parts_, context_, moment_));
  std::vector<uint64_t> object_ids = ObjectsReadBy(*statement.plan);
  object_ids.push_back(target.id());
  MR_RETURN_IF_ERROR(KeepColumns(parts_.catalog, target, columns));
  MR_RETURN_IF_ERROR(
      RunStream(job_id, absl::StrCat("insert_into_", target.name()), plan, object_ids));
  StatementResult result = Done("INSERT");
  result.stream_job_id = job_id;
  result.stored_at = std::move(stored_at);
  return result;
}

absl::StatusOr<StatementResult> StreamStatements::Flush() {
  MR_RETURN_IF_ERROR(parts_.streams.Flush(context_.cancellation));
  return Done("FLUSH");
}

absl::StatusOr<StatementResult> StreamStatements::WaitFor(const BoundWaitFor& statement) {
  const auto* number = std::get_if<int64_t>(&statement.value.value);
  if (statement.mode != "complete" && number == nullptr) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("wait_for needs a value for mode '", statement.mode, "'"));
  }
  const std::string mode = statement.mode;
  const int64_t wanted = number != nullptr ? *number : 0;
  const auto done = [mode, wanted](const StreamView& view) -> absl::StatusOr<bool> {
    if (view.published.empty()) return false;
    const PublishedEpoch& newest = view.published.back();
    if (mode == "complete") return view.complete;
    if (mode == "watermark") {
      return view.complete || newest.watermark_micros.value_or(INT64_MIN) >= wanted;
    }
    const uint64_t rows = RowsRead(newest.positions);
    if (rows >= static_cast<uint64_t>(wanted)) return true;
    if (!view.complete) return false;
    return MakeError(
        SqlState::kObjectNotInPrerequisiteState,
        absl::StrCat("the input of ", view.name, " has ended after ", rows, " rows, not ", wanted));
  };
  MR_RETURN_IF_ERROR(parts_.streams.WaitUntil(statement.view->job_id(), done,
                                              statement.timeout_micros, context_.cancellation));
  return Done("CALL");
}

}  // namespace millrace
