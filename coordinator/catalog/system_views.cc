#include <initializer_list>
#include <utility>

#include "coordinator/catalog/catalog_snapshot.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

struct SystemColumn {
  const char* name;
  v1::TypeId type;
};

constexpr v1::TypeId kBigint = v1::TYPE_ID_INT64;
constexpr v1::TypeId kText = v1::TYPE_ID_TEXT;
constexpr v1::TypeId kTime = v1::TYPE_ID_TIMESTAMPTZ;
constexpr v1::TypeId kEventTime = v1::TYPE_ID_TIMESTAMP;
constexpr v1::TypeId kBoolean = v1::TYPE_ID_BOOLEAN;
constexpr v1::TypeId kDouble = v1::TYPE_ID_FLOAT64;

// Ids of system views lie above all that the allocator can give out.
constexpr uint64_t kFirstSystemId = uint64_t{1} << 62;

CatalogObjectPtr MakeView(uint64_t index, const char* name,
                          std::initializer_list<SystemColumn> columns) {
  auto view = std::make_shared<v1::CatalogObject>();
  view->set_format_version(1);
  view->set_id(kFirstSystemId + index);
  view->set_name(name);
  view->set_kind(v1::OBJECT_KIND_SOURCE);
  view->set_state(v1::OBJECT_STATE_READY);
  view->set_connector(kSystemConnector);
  for (const SystemColumn& column : columns) {
    v1::Field* field = view->add_columns();
    field->set_name(column.name);
    field->mutable_type()->set_id(column.type);
  }
  return view;
}

CatalogObjectPtr BadRowsView(uint64_t index) {
  return MakeView(index, "millrace.bad_rows",
                  {{"job_id", kBigint},
                   {"job", kText},
                   {"epoch", kBigint},
                   {"source", kText},
                   {"split", kBigint},
                   {"path", kText},
                   {"position", kBigint},
                   {"line", kBigint},
                   {"row", kText},
                   {"reason", kText},
                   {"kept_at", kTime}});
}

CatalogObjectPtr TasksView(uint64_t index) {
  return MakeView(index, "millrace.tasks",
                  {{"job_id", kBigint},
                   {"attempt", kBigint},
                   {"fragment", kBigint},
                   {"task", kBigint},
                   {"worker_id", kBigint},
                   {"state", kText},
                   {"rows_in", kBigint},
                   {"rows_out", kBigint},
                   {"remote_bytes_out", kBigint},
                   {"local_bytes_out", kBigint},
                   {"busy_micros", kBigint},
                   {"watermark", kEventTime},
                   {"epoch", kBigint},
                   {"late_rows", kBigint},
                   {"bad_rows", kBigint},
                   {"state_rows", kBigint},
                   {"waiting_for", kText},
                   {"step", kBigint},
                   {"remote_bytes_in", kBigint},
                   {"local_bytes_in", kBigint},
                   {"rows_touched", kBigint},
                   {"epoch_rows_touched", kBigint},
                   {"error", kText},
                   {"rows_in_per_second", kDouble},
                   {"rows_out_per_second", kDouble},
                   {"state_bytes", kBigint}});
}

CatalogObjectPtr StepsView(uint64_t index) {
  return MakeView(index, "millrace.steps",
                  {{"job_id", kBigint},
                   {"job", kText},
                   {"step", kBigint},
                   {"title", kText},
                   {"state", kText},
                   {"rows", kBigint},
                   {"stored_at", kText},
                   {"started_at", kTime},
                   {"ended_at", kTime},
                   {"error", kText},
                   {"workers", kText},
                   {"rows_in", kBigint},
                   {"watermark", kEventTime},
                   {"epoch", kBigint},
                   {"late_rows", kBigint},
                   {"bad_rows", kBigint},
                   {"epoch_rows_touched", kBigint},
                   {"rows_in_per_second", kDouble}});
}

CatalogObjectPtr OperatorsView(uint64_t index) {
  return MakeView(index, "millrace.operators",
                  {{"job_id", kBigint},
                   {"attempt", kBigint},
                   {"fragment", kBigint},
                   {"task", kBigint},
                   {"worker_id", kBigint},
                   {"node", kBigint},
                   {"operator", kText},
                   {"rows_in", kBigint},
                   {"rows_out", kBigint},
                   {"busy_micros", kBigint},
                   {"state_rows", kBigint},
                   {"rows_touched", kBigint},
                   {"epoch_rows_touched", kBigint}});
}

CatalogObjectPtr EpochsView(uint64_t index) {
  return MakeView(index, "millrace.epochs",
                  {{"job_id", kBigint},
                   {"job", kText},
                   {"epoch", kBigint},
                   {"kind", kText},
                   {"rows_read", kBigint},
                   {"rows_touched", kBigint},
                   {"view_rows_changed", kBigint},
                   {"watermark", kEventTime}});
}

CatalogObjectPtr PositionsView(uint64_t index) {
  return MakeView(index, "millrace.positions",
                  {{"job_id", kBigint},
                   {"job", kText},
                   {"epoch", kBigint},
                   {"source", kText},
                   {"split", kBigint},
                   {"path", kText},
                   {"position", kBigint},
                   {"rows", kBigint},
                   {"max_time", kEventTime},
                   {"late_rows", kBigint},
                   {"bad_rows", kBigint},
                   {"ended", kBoolean}});
}

CatalogObjectPtr WorkersView(uint64_t index) {
  return MakeView(index, "millrace.workers",
                  {{"id", kBigint},
                   {"name", kText},
                   {"state", kText},
                   {"address", kText},
                   {"slots", kBigint},
                   {"running_tasks", kBigint},
                   {"rss_bytes", kBigint},
                   {"cpu_micros", kBigint},
                   {"pid", kBigint},
                   {"version", kText},
                   {"joined_at", kTime},
                   {"memory_used_bytes", kBigint},
                   {"memory_bytes_max", kBigint},
                   {"state_disk_bytes", kBigint},
                   {"disk_free_bytes", kBigint},
                   {"heard_at", kTime},
                   {"lost_reason", kText}});
}

CatalogObjectPtr JobsView(uint64_t index) {
  return MakeView(index, "millrace.jobs",
                  {{"id", kBigint},
                   {"name", kText},
                   {"state", kText},
                   {"attempt", kBigint},
                   {"published_epoch", kBigint},
                   {"durable_epoch", kBigint},
                   {"created_at", kTime},
                   {"ended_at", kTime},
                   {"error", kText},
                   {"rows_in_per_second", kDouble},
                   {"checkpoint_at", kTime},
                   {"checkpoint_bytes", kBigint},
                   {"checkpoint_micros", kBigint},
                   {"restarts", kBigint},
                   {"memory_bytes", kBigint},
                   {"disk_bytes", kBigint}});
}

CatalogObjectPtr RestartsView(uint64_t index) {
  return MakeView(index, "millrace.restarts",
                  {{"job_id", kBigint},
                   {"job", kText},
                   {"attempt", kBigint},
                   {"at", kTime},
                   {"restored_epoch", kBigint},
                   {"sqlstate", kText},
                   {"cause", kText}});
}

CatalogObjectPtr CheckpointsView(uint64_t index) {
  return MakeView(index, "millrace.checkpoints",
                  {{"job_id", kBigint},
                   {"job", kText},
                   {"epoch", kBigint},
                   {"attempt", kBigint},
                   {"created_at", kTime},
                   {"duration_micros", kBigint},
                   {"files", kBigint},
                   {"size_bytes", kBigint},
                   {"uploaded_bytes", kBigint},
                   {"final", kBoolean},
                   {"manifest", kText}});
}

}  // namespace

std::vector<CatalogObjectPtr> SystemViews() {
  uint64_t index = 0;
  std::vector<CatalogObjectPtr> views;
  views.push_back(JobsView(index++));
  views.push_back(StepsView(index++));
  views.push_back(TasksView(index++));
  views.push_back(PositionsView(index++));
  views.push_back(WorkersView(index++));
  views.push_back(MakeView(index++, "millrace.late_rows",
                           {{"job_id", kBigint},
                            {"job", kText},
                            {"epoch", kBigint},
                            {"source", kText},
                            {"rows", kBigint}}));
  views.push_back(BadRowsView(index++));
  views.push_back(MakeView(index++, "millrace.bad_row_counts",
                           {{"job_id", kBigint},
                            {"job", kText},
                            {"epoch", kBigint},
                            {"source", kText},
                            {"rows", kBigint},
                            {"kept", kBigint}}));
  views.push_back(OperatorsView(index++));
  views.push_back(EpochsView(index++));
  views.push_back(RestartsView(index++));
  views.push_back(CheckpointsView(index++));
  return views;
}

}  // namespace millrace
