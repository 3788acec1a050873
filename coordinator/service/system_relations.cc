#include "coordinator/service/system_relations.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "coordinator/planner/rules/logical_build.h"
#include "coordinator/scheduler/placement.h"
#include "coordinator/service/job_status.h"
#include "coordinator/service/step_counters.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

using SystemRow = std::vector<Value>;

Value Text(std::string text) { return Value{SqlType::Of(TypeId::kText), std::move(text)}; }
Value TextOrNull(const std::string& text) {
  return text.empty() ? Value::Null(SqlType::Of(TypeId::kText)) : Text(text);
}
template <typename Number>
Value Bigint(Number number) {
  return Value{SqlType::Of(TypeId::kInt64), static_cast<int64_t>(number)};
}
template <typename Number>
Value BigintOrNull(bool has, Number number) {
  return has ? Bigint(number) : Value::Null(SqlType::Of(TypeId::kInt64));
}
// 0 = not yet.
Value TimeOrNull(int64_t wall_micros) {
  const SqlType type = SqlType::Of(TypeId::kTimestampTz);
  return wall_micros == 0 ? Value::Null(type) : Value{type, wall_micros};
}
// NULL before the first row with a time and once event time has ended: timestamps have no infinity.
Value EventTime(bool has, int64_t micros) {
  const SqlType type = SqlType::Of(TypeId::kTimestamp);
  const bool finite = micros != INT64_MAX && micros != INT64_MIN;
  return has && finite ? Value{type, micros} : Value::Null(type);
}
Value Double(double value) { return Value{SqlType::Of(TypeId::kFloat64), value}; }
Value Boolean(bool value) { return Value{SqlType::Of(TypeId::kBoolean), value}; }

std::vector<SystemRow> JobRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const v1::JobRecord& record : parts.job_store.List()) {
    const v1::JobStatus status = StatusOfJob(record, parts);
    rows.push_back(
        {Bigint(record.id()), Text(record.name()), Text(JobStateName(status.state())),
         Bigint(status.attempt()), Bigint(status.published_epoch()), Bigint(status.durable_epoch()),
         TimeOrNull(status.created_at_micros()), TimeOrNull(status.ended_at_micros()),
         TextOrNull(status.error().message()), Double(status.rows_in_per_second()),
         TimeOrNull(status.last_checkpoint().created_at_micros()),
         BigintOrNull(status.has_last_checkpoint(), status.last_checkpoint().size_bytes()),
         BigintOrNull(status.has_last_checkpoint(), status.last_checkpoint().duration_micros()),
         Bigint(status.num_restarts()), Bigint(status.memory_bytes()),
         Bigint(status.disk_bytes())});
  }
  return rows;
}

// Of streaming jobs; a script has those of its streams.
std::vector<SystemRow> RestartRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const v1::JobRecord& record : parts.job_store.List()) {
    for (const v1::JobRestart& restart : record.restarts()) {
      rows.push_back({Bigint(record.id()), Text(record.name()), Bigint(restart.attempt()),
                      TimeOrNull(restart.at_micros()), Bigint(restart.restored_epoch()),
                      TextOrNull(restart.cause().detail().sqlstate()),
                      TextOrNull(restart.cause().message())});
    }
  }
  return rows;
}

std::vector<SystemRow> CheckpointRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const v1::JobRecord& record : parts.job_store.List()) {
    for (const v1::CheckpointSummary& checkpoint : record.checkpoints()) {
      rows.push_back({Bigint(record.id()), Text(record.name()), Bigint(checkpoint.epoch()),
                      Bigint(checkpoint.attempt()), TimeOrNull(checkpoint.created_at_micros()),
                      Bigint(checkpoint.duration_micros()), Bigint(checkpoint.num_files()),
                      Bigint(checkpoint.size_bytes()), Bigint(checkpoint.uploaded_bytes()),
                      Boolean(checkpoint.final()), TextOrNull(checkpoint.manifest())});
    }
  }
  return rows;
}

std::vector<SystemRow> StepRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const v1::JobRecord& record : parts.job_store.List()) {
    const v1::JobStatus status = StatusOfJob(record, parts);
    for (const v1::StepStatus& step : status.steps()) {
      rows.push_back({Bigint(record.id()), Text(record.name()), Bigint(step.index()),
                      Text(step.title()), Text(StepStateName(step.state())), Bigint(step.rows()),
                      TextOrNull(step.stored_at()), TimeOrNull(step.started_at_micros()),
                      TimeOrNull(step.ended_at_micros()), TextOrNull(step.error().message()),
                      TextOrNull(absl::StrJoin(step.worker_ids(), ", ")), Bigint(step.rows_in()),
                      EventTime(step.has_watermark(), step.watermark_micros()),
                      Bigint(step.epoch()), Bigint(step.late_rows()), Bigint(step.bad_rows()),
                      Bigint(step.epoch_rows_touched()), Double(step.rows_in_per_second())});
    }
  }
  return rows;
}

// Of all jobs: streams, statements that run, and a script's last ones.
std::vector<AttemptTasks> AllTasks(const ClusterParts& parts) {
  std::vector<AttemptTasks> all;
  std::set<uint64_t> streams;
  for (const StreamView& stream : parts.streams.Views()) {
    streams.insert(stream.job_id);
    all.push_back({stream.job_id, stream.plan, stream.tasks, stream.scan_rates});
  }
  for (AttemptTasks& attempt : parts.runs.AllTasks()) {
    if (!streams.contains(attempt.job_id)) all.push_back(std::move(attempt));
  }
  for (AttemptTasks& attempt : all) NameTasks(&attempt, /*only_step=*/nullptr);
  return all;
}

SystemRow TaskRow(const v1::TaskProgress& task) {
  return {Bigint(task.job_id()),
          Bigint(task.attempt()),
          Bigint(task.fragment()),
          Bigint(task.task_index()),
          Bigint(task.worker_id()),
          Text(TaskStateName(task.state())),
          Bigint(task.rows_in()),
          Bigint(task.rows_out()),
          Bigint(task.remote_bytes_out()),
          Bigint(task.local_bytes_out()),
          Bigint(task.busy_micros()),
          EventTime(task.has_watermark(), task.watermark_micros()),
          Bigint(task.epoch()),
          Bigint(task.late_rows()),
          Bigint(task.bad_rows()),
          Bigint(task.state_rows()),
          TextOrNull(task.waiting_for()),
          Bigint(task.step()),
          Bigint(task.remote_bytes_in()),
          Bigint(task.local_bytes_in()),
          Bigint(task.rows_touched()),
          Bigint(task.epoch_rows_touched()),
          TextOrNull(task.error().message()),
          Double(task.rows_in_per_second()),
          Double(task.rows_out_per_second()),
          Bigint(task.state_bytes())};
}

std::vector<SystemRow> TaskRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const AttemptTasks& attempt : AllTasks(parts)) {
    for (const v1::TaskProgress& task : attempt.tasks) rows.push_back(TaskRow(task));
  }
  return rows;
}

std::vector<SystemRow> OperatorRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const AttemptTasks& attempt : AllTasks(parts)) {
    for (const v1::TaskProgress& task : attempt.tasks) {
      for (const v1::OperatorProgress& progress : task.operators()) {
        rows.push_back({Bigint(task.job_id()), Bigint(task.attempt()), Bigint(task.fragment()),
                        Bigint(task.task_index()), Bigint(task.worker_id()),
                        Bigint(progress.node_id()), Text(progress.name()),
                        Bigint(progress.rows_in()), Bigint(progress.rows_out()),
                        Bigint(progress.busy_micros()), Bigint(progress.state_rows()),
                        Bigint(progress.rows_touched()), Bigint(progress.epoch_rows_touched())});
      }
    }
  }
  return rows;
}

std::string EpochKindName(EpochKind kind) {
  switch (kind) {
    case EpochKind::kPlain:
      return "plain";
    case EpochKind::kCheckpoint:
      return "checkpoint";
    case EpochKind::kFinal:
      return "final";
  }
  return "unknown";
}

// The published epochs that are kept.
std::vector<SystemRow> EpochRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const StreamView& job : parts.streams.Views()) {
    for (const PublishedEpoch& epoch : job.published) {
      rows.push_back(
          {Bigint(job.job_id), Text(job.name), Bigint(epoch.epoch), Text(EpochKindName(epoch.kind)),
           Bigint(RowsRead(epoch.positions)), Bigint(epoch.rows_touched),
           Bigint(epoch.view_rows_changed),
           EventTime(epoch.watermark_micros.has_value(), epoch.watermark_micros.value_or(0))});
    }
  }
  return rows;
}

std::vector<SystemRow> PositionRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const StreamView& job : parts.streams.Views()) {
    const std::map<uint32_t, std::string> names = TableOfScan(*job.plan);
    for (const PublishedEpoch& epoch : job.published) {
      for (const auto& [key, position] : epoch.positions) {
        rows.push_back(
            {Bigint(job.job_id), Text(job.name), Bigint(epoch.epoch), Text(names.at(key.first)),
             Bigint(position.split_id()), TextOrNull(position.path()), Bigint(position.offset()),
             Bigint(position.rows()),
             EventTime(position.has_max_time(), position.max_time_micros()),
             Bigint(position.late_rows()), Bigint(position.bad_rows()), Boolean(position.ended())});
      }
    }
  }
  return rows;
}

std::vector<SystemRow> WorkerRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const WorkerEntry& worker : parts.registry.All()) {
    uint64_t state_disk_bytes = 0;
    for (const JobStateBytes& size : worker.state_sizes) state_disk_bytes += size.disk_bytes;
    rows.push_back({Bigint(worker.id.value()), Text(worker.name),
                    Text(WorkerPhaseName(worker.phase)), Text(worker.data_address),
                    Bigint(worker.slots), Bigint(worker.running_tasks), Bigint(worker.rss_bytes),
                    Bigint(worker.cpu_micros), Bigint(worker.pid), Text(worker.version),
                    TimeOrNull(worker.joined_wall_micros), Bigint(worker.memory_used_bytes),
                    Bigint(worker.memory_bytes_max), Bigint(state_disk_bytes),
                    Bigint(worker.disk_free_bytes), TimeOrNull(worker.last_heartbeat_wall_micros),
                    TextOrNull(worker.lost_reason)});
  }
  return rows;
}

// Rows of each scan that have reached no result (I8), at the newest published epoch.
std::map<uint32_t, uint64_t> DroppedRows(const StreamView& job,
                                         uint64_t (v1::SplitPosition::*count)() const) {
  std::map<uint32_t, uint64_t> totals;
  for (const auto& [key, position] : job.published.back().positions) {
    totals[key.first] += (position.*count)();
  }
  return totals;
}

std::vector<SystemRow> LateRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const StreamView& job : parts.streams.Views()) {
    if (job.published.empty()) continue;
    const std::map<uint32_t, std::string> names = TableOfScan(*job.plan);
    for (const auto& [scan_id, total] : DroppedRows(job, &v1::SplitPosition::late_rows)) {
      rows.push_back({Bigint(job.job_id), Text(job.name), Bigint(job.published.back().epoch),
                      Text(names.at(scan_id)), Bigint(total)});
    }
  }
  return rows;
}

// Of a script the statement was a step of.
Value NameOfScript(const ClusterParts& parts, uint64_t parent_job_id) {
  const std::optional<v1::JobRecord> record = parts.job_store.Get(parent_job_id);
  return TextOrNull(record.has_value() ? record->name() : std::string());
}

std::vector<StatementBadRows> BadRowsOfBoundedStatements(const ClusterParts& parts) {
  return parts.bad_rows == nullptr ? std::vector<StatementBadRows>() : parts.bad_rows->List();
}

std::vector<SystemRow> BadRowCounts(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  const auto kept_of = [](const std::vector<v1::KeptRow>& kept_rows,
                          const std::map<uint32_t, std::string>& names, const std::string& table) {
    return std::count_if(kept_rows.begin(), kept_rows.end(),
                         [&](const v1::KeptRow& row) { return names.at(row.scan_id()) == table; });
  };
  for (const StatementBadRows& statement : BadRowsOfBoundedStatements(parts)) {
    for (const auto& [table, total] : statement.count_by_table) {
      rows.push_back({Bigint(statement.job_id), NameOfScript(parts, statement.parent_job_id),
                      Value::Null(SqlType::Of(TypeId::kInt64)), Text(table), Bigint(total),
                      Bigint(kept_of(statement.rows, statement.table_of_scan, table))});
    }
  }
  for (const StreamView& job : parts.streams.Views()) {
    if (job.published.empty()) continue;
    const std::map<uint32_t, std::string> names = TableOfScan(*job.plan);
    for (const auto& [scan_id, total] : DroppedRows(job, &v1::SplitPosition::bad_rows)) {
      const auto kept =
          std::count_if(job.kept_rows->begin(), job.kept_rows->end(),
                        [id = scan_id](const v1::KeptRow& row) { return row.scan_id() == id; });
      rows.push_back({Bigint(job.job_id), Text(job.name), Bigint(job.published.back().epoch),
                      Text(names.at(scan_id)), Bigint(total), Bigint(kept)});
    }
  }
  return rows;
}

SystemRow BadRow(uint64_t job_id, Value job, const std::string& table, const v1::KeptRow& row) {
  const Value null = Value::Null(SqlType::Of(TypeId::kInt64));
  return {Bigint(job_id),
          std::move(job),
          row.epoch() == 0 ? null : Bigint(row.epoch()),
          Text(table),
          Bigint(row.split_id()),
          Text(row.path()),
          Bigint(row.position()),
          row.line() == 0 ? null : Bigint(row.line()),
          Text(row.text()),
          Text(row.reason()),
          TimeOrNull(row.kept_at_micros())};
}

std::vector<SystemRow> BadRows(const ClusterParts& parts) {
  std::vector<SystemRow> rows;
  for (const StatementBadRows& statement : BadRowsOfBoundedStatements(parts)) {
    for (const v1::KeptRow& row : statement.rows) {
      rows.push_back(BadRow(statement.job_id, NameOfScript(parts, statement.parent_job_id),
                            statement.table_of_scan.at(row.scan_id()), row));
    }
  }
  for (const StreamView& job : parts.streams.Views()) {
    const std::map<uint32_t, std::string> names = TableOfScan(*job.plan);
    for (const v1::KeptRow& row : *job.kept_rows) {
      rows.push_back(BadRow(job.job_id, Text(job.name), names.at(row.scan_id()), row));
    }
  }
  return rows;
}

absl::StatusOr<std::vector<SystemRow>> RowsOf(const std::string& view, const ClusterParts& parts) {
  if (view == "millrace.jobs") return JobRows(parts);
  if (view == "millrace.steps") return StepRows(parts);
  if (view == "millrace.tasks") return TaskRows(parts);
  if (view == "millrace.operators") return OperatorRows(parts);
  if (view == "millrace.epochs") return EpochRows(parts);
  if (view == "millrace.positions") return PositionRows(parts);
  if (view == "millrace.workers") return WorkerRows(parts);
  if (view == "millrace.restarts") return RestartRows(parts);
  if (view == "millrace.checkpoints") return CheckpointRows(parts);
  if (view == "millrace.late_rows") return LateRows(parts);
  if (view == "millrace.bad_rows") return BadRows(parts);
  if (view == "millrace.bad_row_counts") return BadRowCounts(parts);
  return InternalError(absl::StrCat("system view ", view, " has no rows"));
}

bool IsSystemScan(const LogicalNode& node) {
  return node.kind == LogicalKind::kScan &&
         As<LogicalScan>(node).object->connector() == kSystemConnector;
}

absl::StatusOr<LogicalPtr> ValuesOf(const LogicalScan& scan, const ClusterParts& parts) {
  MR_ASSIGN_OR_RETURN(const std::vector<SystemRow> rows, RowsOf(scan.object->name(), parts));
  auto values = std::make_shared<LogicalValues>();
  values->output = scan.output;
  for (const SystemRow& row : rows) {
    std::vector<ExprPtr> literals;
    for (int column : scan.columns) literals.push_back(MakeLiteral(row[column]));
    values->rows.push_back(std::move(literals));
  }
  return LogicalPtr(std::move(values));
}

}  // namespace

bool ReadsSystemView(const LogicalNode& plan) {
  if (IsSystemScan(plan)) return true;
  for (const LogicalPtr& input : plan.inputs) {
    if (ReadsSystemView(*input)) return true;
  }
  return false;
}

absl::StatusOr<LogicalPtr> FillSystemViews(const LogicalPtr& plan, const ClusterParts& parts) {
  absl::Status status;
  LogicalPtr filled = RewriteBottomUp(plan, [&](const LogicalPtr& node) -> LogicalPtr {
    if (!IsSystemScan(*node) || !status.ok()) return node;
    absl::StatusOr<LogicalPtr> values = ValuesOf(As<LogicalScan>(*node), parts);
    if (values.ok()) return *values;
    status = values.status();
    return node;
  });
  MR_RETURN_IF_ERROR(status);
  return filled;
}

}  // namespace millrace
