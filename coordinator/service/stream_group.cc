#include "coordinator/service/stream_group.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "coordinator/job/statement_title.h"
#include "coordinator/service/definition_statements.h"
#include "coordinator/service/session_settings.h"
#include "coordinator/service/worker_wait.h"
#include "coordinator/service/write_statements.h"

namespace millrace {
namespace {

constexpr char kCreateView[] = "CREATE MATERIALIZED VIEW";

PlanMode StreamMode(bool emit_on_window_close) {
  return emit_on_window_close ? PlanMode::kStreamOnWindowClose : PlanMode::kStream;
}

}  // namespace

PlanMode ModeOf(const BoundInsert& insert) {
  if (insert.emit_on_window_close) return PlanMode::kStreamOnWindowClose;
  return IsUnbounded(*insert.plan) ? PlanMode::kStream : PlanMode::kBounded;
}

StreamGroup::StreamGroup(ClusterParts& parts, StatementContext& first,
                         const v1::CatalogObject& definition)
    : parts_(parts),
      context_(first),
      job_id_(definition.job_id()),
      definition_id_(definition.id()) {}

StreamGroup::~StreamGroup() {
  if (!started_) Undo();
}

absl::Status StreamGroup::NeedJobId() {
  if (job_id_ != 0) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(job_id_, parts_.job_ids.Next());
  return absl::OkStatus();
}

absl::StatusOr<StatementResult> StreamGroup::AddView(const BoundCreateView& view,
                                                     const Statement& statement) {
  MR_RETURN_IF_ERROR(NeedJobId());
  v1::CatalogObject object;
  object.set_name(view.name);
  object.set_kind(v1::OBJECT_KIND_MATERIALIZED_VIEW);
  object.set_state(v1::OBJECT_STATE_CREATING);
  object.set_job_id(job_id_);
  object.set_query(view.query);
  object.mutable_options()->insert(view.options.begin(), view.options.end());
  for (const Field& column : view.plan->output) ToProto(column, object.add_columns());
  for (uint64_t id : view.depends_on) object.add_depends_on(id);
  absl::StatusOr<CatalogObjectPtr> created =
      CreateObject(parts_.catalog, std::move(object), view.if_not_exists, statement.sink);
  if (!created.ok()) return WithPosition(created.status(), view.name_position);
  if (*created == nullptr) return Done(kCreateView);
  Member member;
  member.step = statement.step;
  member.text = statement.text;
  member.name = view.name;
  member.object_id = (*created)->id();
  member.is_view = true;
  member.stored_at = absl::StrCat("view ", view.name);
  member.query = view.plan;
  member.mode = StreamMode(view.emit_on_window_close);
  member.target = ViewSinkTarget{member.object_id, view.name};
  member.positions = {view.name_position, view.emit_position};
  member.uses = {member.object_id};
  if (const absl::Status checked = CheckPlan(member, statement.moment); !checked.ok()) {
    const absl::Status undone = parts_.catalog.Remove({member.object_id});
    if (!undone.ok()) LogError("catalog", "cannot undo CREATE MATERIALIZED VIEW", undone);
    return checked;
  }
  auto ready = std::make_shared<v1::CatalogObject>(**created);
  ready->set_state(v1::OBJECT_STATE_READY);
  views_.push_back(std::move(ready));
  members_.push_back(std::move(member));
  return ResultOf(members_.back());
}

absl::StatusOr<StatementResult> StreamGroup::AddInsert(const BoundInsert& insert,
                                                       const Statement& statement) {
  const v1::CatalogObject& target = *insert.target;
  if (target.kind() == v1::OBJECT_KIND_TABLE) {
    return WithPosition(NotSupported("inserting unbounded input into a stored table"),
                        insert.name_position);
  }
  MR_RETURN_IF_ERROR(NeedJobId());
  MR_ASSIGN_OR_RETURN(FileSinkTarget sink,
                      FileTarget(parts_.path_policy, target, insert.plan->output));
  Member member;
  member.step = statement.step;
  member.text = statement.text;
  member.name = absl::StrCat("insert_into_", target.name());
  member.object_id = target.id();
  member.stored_at = target.name();
  if (const auto path = sink.options.find("path"); path != sink.options.end()) {
    member.stored_at = path->second;
  }
  const bool twice = std::any_of(members_.begin(), members_.end(), [&](const Member& other) {
    return other.object_id == target.id();
  });
  if (twice) {
    return MakeError(SqlState::kObjectInUse,
                     absl::StrCat("the script inserts into \"", target.name(), "\" already"),
                     "use UNION ALL, or another table for the second stream");
  }
  const Schema columns = sink.columns;
  member.query = insert.plan;
  member.mode = StreamMode(insert.emit_on_window_close);
  member.target = std::move(sink);
  member.positions = {insert.name_position, insert.emit_position};
  member.uses = ObjectsReadBy(*insert.plan);
  member.uses.push_back(target.id());
  MR_RETURN_IF_ERROR(CheckPlan(member, statement.moment));
  MR_RETURN_IF_ERROR(KeepColumns(parts_.catalog, target, columns));
  members_.push_back(std::move(member));
  return ResultOf(members_.back());
}

StatementResult StreamGroup::ResultOf(const Member& member) const {
  StatementResult result = Done(member.is_view ? kCreateView : "INSERT");
  result.stream_job_id = job_id_;
  result.stored_at = member.stored_at;
  return result;
}

std::shared_ptr<const CatalogSnapshot> StreamGroup::Catalog() const {
  std::shared_ptr<const CatalogSnapshot> base = parts_.catalog.Snapshot();
  std::vector<CatalogObjectPtr> objects = base->ListAll();
  for (CatalogObjectPtr& view : SystemViews()) objects.push_back(std::move(view));
  objects.insert(objects.end(), views_.begin(), views_.end());
  // What the catalog's own snapshot shows stays in use.
  return {new CatalogSnapshot(std::move(objects), base->revision()),
          [base](const CatalogSnapshot* snapshot) { delete snapshot; }};
}

bool StreamGroup::Creates(uint64_t object_id) const {
  return std::any_of(views_.begin(), views_.end(),
                     [object_id](const CatalogObjectPtr& view) { return view->id() == object_id; });
}

PlanRequest StreamGroup::RequestOf(const Member& member) {
  return {member.query, member.mode, member.target, member.positions};
}

// An error belongs to its statement; planned together, the statements find no further one.
absl::Status StreamGroup::CheckPlan(const Member& member, const StatementMoment& moment) const {
  std::vector<StreamRequest> alone;
  alone.push_back({RequestOf(member), member.step});
  return PlanStreamJob(std::move(alone), parts_, context_, moment).status();
}

absl::StatusOr<StreamPlan> StreamGroup::Plan(const StatementMoment& moment) const {
  std::vector<StreamRequest> requests;
  for (const Member& member : members_) {
    requests.push_back({RequestOf(member), member.step});
  }
  return PlanStreamJob(std::move(requests), parts_, context_, moment);
}

absl::StatusOr<StreamSpec> StreamGroup::MakeSpec(StreamPlan plan,
                                                 const CatalogSnapshot& catalog) const {
  MR_ASSIGN_OR_RETURN(const SessionSettings settings, ParseSessionSettings(context_.settings));
  StreamSpec spec;
  spec.job_id = job_id_;
  spec.settings = context_.settings;
  spec.options = parts_.stream_defaults;
  if (settings.epoch_interval_micros > 0) {
    spec.options.epoch_interval_micros = settings.epoch_interval_micros;
  }
  if (settings.checkpoint_interval_micros > 0) {
    spec.options.checkpoint_interval_micros = settings.checkpoint_interval_micros;
  }
  spec.memory_bytes_max =
      settings.query_memory_bytes > 0 ? settings.query_memory_bytes : parts_.query_memory_bytes;
  ReadSet read_set;
  read_set.catalog = &catalog;
  MR_ASSIGN_OR_RETURN(spec.scans, parts_.splits.Enumerate(*plan.planned, read_set));
  spec.planned = std::move(plan.planned);
  spec.parallelism = plan.parallelism;
  return spec;
}

absl::StatusOr<v1::JobRecord> StreamGroup::MakeRecord(
    const std::vector<MetadataWrite>& also) const {
  const int64_t now = parts_.clock.WallMicros();
  v1::JobRecord record;
  record.set_id(job_id_);
  record.set_name(members_[0].name);
  record.set_state(v1::JOB_STATE_CREATED);
  record.set_streaming(true);
  record.set_parent_job_id(context_.parent_job_id);
  record.set_working_directory(context_.working_directory);
  record.set_created_at_micros(now);
  record.mutable_settings()->insert(context_.settings.begin(), context_.settings.end());
  std::set<uint64_t> object_ids;
  for (const Member& member : members_) {
    absl::StrAppend(record.mutable_sql(), record.sql().empty() ? "" : ";\n", member.text);
    object_ids.insert(member.uses.begin(), member.uses.end());
    v1::StepStatus* step = record.add_steps();
    step->set_index(member.step);
    step->set_title(StatementTitle(member.text));
    step->set_state(v1::STEP_STATE_RUNNING);
    step->set_job_id(job_id_);
    step->set_started_at_micros(now);
    step->set_stored_at(member.stored_at);
  }
  for (uint64_t id : object_ids) record.add_object_ids(id);
  absl::StatusOr<v1::JobRecord> created = parts_.job_store.Create(record, also);
  if (created.ok() || GetErrorDetail(created.status()).state != SqlState::kDuplicateObject) {
    return created;
  }
  // A script may be called as its view.
  record.set_name(absl::StrCat(record.name(), "-", job_id_));
  return parts_.job_store.Create(std::move(record), also);
}

absl::Status StreamGroup::Deploy(StreamPlan plan, const CatalogSnapshot& catalog,
                                 const std::vector<MetadataWrite>& also) {
  MR_ASSIGN_OR_RETURN(StreamSpec spec, MakeSpec(std::move(plan), catalog));
  MR_ASSIGN_OR_RETURN(const v1::JobRecord record, MakeRecord(also));
  spec.name = record.name();
  if (context_.on_job) context_.on_job(job_id_);
  absl::Status status = parts_.streams.Start(std::move(spec));
  if (status.ok()) status = parts_.streams.WaitFirstEpoch(job_id_, context_.cancellation);
  if (!status.ok()) {
    FindFailedStep();
    DropStream(also);
  }
  return status;
}

void StreamGroup::FindFailedStep() {
  const std::optional<StreamView> stream = parts_.streams.View(job_id_);
  if (!stream.has_value()) return;
  for (const v1::TaskProgress& task : stream->tasks) {
    if (task.state() != v1::TASK_STATE_FAILED) continue;
    failed_step_ = stream->plan->fragments(static_cast<int>(task.fragment())).step();
    return;
  }
}

// Nothing was done: what Deploy has recorded goes with the job.
void StreamGroup::DropStream(const std::vector<MetadataWrite>& also) {
  std::vector<MetadataWrite> removed;
  for (const MetadataWrite& write : also) removed.push_back({write.key, std::nullopt});
  const absl::Status undone = parts_.streams.Drop(job_id_, removed);
  if (!undone.ok()) LogError("job", "cannot undo the creation of a streaming job", undone);
}

absl::Status StreamGroup::CompleteViews(const v1::PhysicalPlan& plan,
                                        const std::function<std::vector<MetadataWrite>()>& also) {
  std::map<uint64_t, millrace::Catalog::Change> completes;
  for (const Member& member : members_) {
    if (!member.is_view) continue;
    completes[member.object_id] =
        [traits = ViewTraitsOf(plan, member.object_id)](v1::CatalogObject& view) {
          for (uint32_t column : traits.key) view.add_view_key(column);
          view.set_append_only(traits.append_only);
        };
  }
  if (definition_id_ != 0) {
    completes[definition_id_] = [](v1::CatalogObject& definition) { definition.clear_job_id(); };
  }
  return parts_.catalog.CompleteCreates(completes, also());
}

absl::Status StreamGroup::Start(const StatementMoment& moment,
                                const std::function<std::vector<MetadataWrite>()>& also) {
  // The number of shards is fixed for the life of the job: it must be that of a cluster with slots.
  const auto make_plan = [&]() -> absl::StatusOr<StreamPlan> {
    MR_RETURN_IF_ERROR(AwaitWorker(parts_, context_));
    return Plan(moment);
  };
  const absl::StatusOr<StreamPlan> plan = make_plan();
  absl::Status status = plan.status();
  const bool with_views = !views_.empty();
  if (status.ok()) {
    status = Deploy(*plan, *moment.catalog, with_views ? std::vector<MetadataWrite>() : also());
  }
  if (status.ok() && with_views) {
    status = CompleteViews(*plan->planned, also);
    if (!status.ok()) DropStream({});
  }
  if (status.ok()) {
    started_ = true;
    return status;
  }
  Undo();
  return status;
}

void StreamGroup::Undo() {
  std::vector<uint64_t> ids;
  for (const CatalogObjectPtr& view : views_) ids.push_back(view->id());
  views_.clear();
  members_.clear();
  if (ids.empty()) return;
  const absl::Status undone = parts_.catalog.Remove(ids);
  if (!undone.ok()) LogError("catalog", "cannot undo the creation of views", undone);
}

}  // namespace millrace
