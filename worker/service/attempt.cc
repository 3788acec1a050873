#include "worker/service/attempt.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "common/storage/file_system.h"
#include "common/types/sql_type.h"
#include "millrace/v1/control.pb.h"
#include "worker/exchange/channel_registry.h"
#include "worker/runtime/result_queue.h"
#include "worker/state/job_state_store.h"

namespace millrace {
namespace {

// Tasks that load their state at the same time.
constexpr size_t kOpenThreadsMax = 4;

// What one source of one task may read of what the barrier allows; absent if it allows everything.
std::optional<ReadAllowance> AllowanceOf(const v1::InjectBarrier& inject, const AssembledTask& task,
                                         const ScanMailbox& source) {
  if (!inject.has_allowance()) return std::nullopt;
  const v1::ScanAllowance& allowance = inject.allowance();
  if (!allowance.has_only()) return ReadAllowance{allowance.rows_max()};
  const auto scan = task.scans.find(allowance.only().scan_id());
  const bool may_read = task.task->identity().task_index == allowance.only().task_index() &&
                        scan != task.scans.end() && scan->second.get() == &source;
  return ReadAllowance{may_read ? allowance.rows_max() : 0, /*open_split_only=*/true};
}

}  // namespace

Attempt::Attempt(std::shared_ptr<const v1::DeployAttempt> deploy, AttemptOwner& owner,
                 int64_t memory_bytes_max, MemoryBudget* all_queries)
    : deploy_(std::move(deploy)),
      owner_(owner),
      job_(deploy_->job_id()),
      attempt_(deploy_->attempt()),
      streaming_(deploy_->plan().streaming()),
      memory_(memory_bytes_max, all_queries),
      stop_(std::make_shared<std::atomic<bool>>(false)) {}

Attempt::~Attempt() {
  // Tasks hold on to the state.
  tasks_.clear();
  if (state_ == nullptr) return;
  state_.reset();
  // What must survive lies in the checkpoints.
  std::error_code ignored;
  std::filesystem::remove_all(local_folder_, ignored);
}

absl::StatusOr<std::shared_ptr<Attempt>> Attempt::Create(
    std::shared_ptr<const v1::DeployAttempt> deploy, uint32_t own_worker, const WorkerParts& parts,
    const StateOptions& state, AttemptOwner& owner) {
  MR_ASSIGN_OR_RETURN(const AttemptPlan plan, AttemptPlan::Create(*deploy, own_worker));
  const auto memory_bytes_max = static_cast<int64_t>(deploy->memory_bytes_max());
  // A stream must not fail because of queries that come and go: it has its own limit only.
  MemoryBudget* all_queries = deploy->plan().streaming() ? nullptr : parts.query_memory;
  std::shared_ptr<Attempt> attempt(
      new Attempt(std::move(deploy), owner, memory_bytes_max > 0 ? memory_bytes_max : INT64_MAX / 2,
                  all_queries));
  if (state.stop != nullptr) attempt->stop_ = state.stop;
  if (attempt->streaming_) {
    MR_RETURN_IF_ERROR(attempt->OpenState(own_worker, parts, state));
  }
  const AttemptParts attempt_parts{*attempt, *attempt, attempt->memory_, attempt->state_.get()};
  TaskAssembler assembler(plan, parts, attempt_parts);
  absl::StatusOr<std::vector<AssembledTask>> tasks = assembler.Assemble();
  if (!tasks.ok()) {
    parts.channels.Unregister(attempt->job_, attempt->attempt_);
    return std::move(tasks).status();
  }
  attempt->tasks_ = *std::move(tasks);
  if (attempt->deploy_->restore_epoch() != 0) {
    if (absl::Status opened = attempt->OpenTasks(); !opened.ok()) {
      parts.channels.Unregister(attempt->job_, attempt->attempt_);
      return opened;
    }
  }
  MutexLock lock(attempt->mutex_);
  attempt->num_running_ = attempt->tasks_.size();
  return attempt;
}

absl::Status Attempt::OpenState(uint32_t own_worker, const WorkerParts& parts,
                                const StateOptions& state) {
  if (state.resources == nullptr) return NotSupported("a streaming job on this worker");
  JobStateOptions options;
  options.job = JobId(job_);
  options.attempt = AttemptId(attempt_);
  options.worker = WorkerId(own_worker);
  local_folder_ =
      JoinPath(state.local_folder, absl::StrCat("job-", job_, "-", attempt_, "-w", own_worker));
  options.local_folder = local_folder_;
  options.checkpoint_folder = state.checkpoint_folder;
  options.checkpoint_token = state.checkpoint_token;
  options.num_shards = deploy_->plan().num_shards();
  options.stop = stop_;
  for (const v1::TaskPlacement& task : deploy_->placements()) {
    if (task.worker_id() != own_worker) continue;
    options.tasks.push_back(
        {task.fragment(), task.task_index(), task.first_shard(), task.num_shards()});
  }
  const v1::CheckpointManifest* restore =
      deploy_->restore_epoch() == 0 ? nullptr : &deploy_->restore_manifest();
  const int64_t begin_micros = parts.clock.MonotonicMicros();
  MR_ASSIGN_OR_RETURN(state_,
                      JobStateStore::Open(options, restore, *state.resources, parts.file_system));
  if (restore == nullptr) return absl::OkStatus();
  Log(LogLevel::kInfo, "state", "state was restored",
      {{"job", job_},
       {"attempt", attempt_},
       {"epoch", restore->epoch()},
       {"disk_mib", state_->disk_bytes() >> 20},
       {"ms", (parts.clock.MonotonicMicros() - begin_micros) / 1000}});
  return absl::OkStatus();
}

absl::Status Attempt::OpenTasks() {
  std::vector<absl::Status> statuses(tasks_.size());
  std::atomic<size_t> next{0};
  const auto open = [&] {
    for (size_t i = next++; i < tasks_.size(); i = next++) {
      statuses[i] = tasks_[i].task->OpenOperators();
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(tasks_.size(), kOpenThreadsMax); ++i) threads.emplace_back(open);
  open();
  for (std::thread& thread : threads) thread.join();
  absl::Status first;
  for (const absl::Status& status : statuses) first.Update(status);
  return first;
}

std::shared_ptr<arrow::Schema> Attempt::result_schema() const {
  Schema schema;
  for (const v1::Field& field : deploy_->plan().result().fields()) {
    schema.push_back(FromProto(field));
  }
  return ToArrowSchema(schema);
}

void Attempt::Start() {
  for (const AssembledTask& task : tasks_) {
    v1::WorkerMessage message;
    v1::TaskProgress* progress = message.mutable_task_update()->mutable_progress();
    task.task->FillProgress(progress);
    progress->set_state(v1::TASK_STATE_RUNNING);
    owner_.SendToCoordinator(std::move(message));
  }
  for (const AssembledTask& task : tasks_) task.task->Start();
}

void Attempt::Cancel() {
  *stop_ = true;
  for (const AssembledTask& task : tasks_) task.task->Cancel();
}

void Attempt::Assign(const v1::SplitAssignment& assignment) {
  for (const AssembledTask& task : tasks_) {
    if (task.task->identity().task_index != assignment.task_index()) continue;
    const auto it = task.scans.find(assignment.scan_id());
    if (it != task.scans.end()) it->second->Assign(assignment);
  }
}

void Attempt::Inject(const v1::InjectBarrier& inject) {
  const Barrier barrier{inject.epoch(), inject.checkpoint(), inject.final()};
  for (const AssembledTask& task : tasks_) {
    for (const auto& source : task.sources)
      source->Inject(barrier, AllowanceOf(inject, task, *source));
  }
}

std::shared_ptr<ResultQueue> Attempt::FindResult(uint32_t fragment, uint32_t task_index) const {
  for (const AssembledTask& task : tasks_) {
    const TaskIdentity& identity = task.task->identity();
    if (identity.fragment == fragment && identity.task_index == task_index) return task.result;
  }
  return nullptr;
}

void Attempt::FillHeartbeat(uint64_t view_bytes, v1::Heartbeat* heartbeat) const {
  for (const AssembledTask& task : tasks_) task.task->FillProgress(heartbeat->add_tasks());
  if (state_ == nullptr) return;
  v1::JobStateSize* size = heartbeat->add_state_sizes();
  size->set_job_id(job_);
  size->set_attempt(attempt_);
  size->set_memory_bytes(memory_bytes(view_bytes));
  size->set_disk_bytes(state_->disk_bytes());
}

bool Attempt::tasks_ended() const {
  MutexLock lock(mutex_);
  return num_running_ == 0;
}

bool Attempt::results_read() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const AssembledTask& task) {
    return task.result == nullptr || task.result->finished_reading();
  });
}

void Attempt::OnEpochProcessed(const v1::EpochAck& ack, bool checkpoint) {
  MR_CRASHPOINT("epoch.before_report");
  v1::WorkerMessage message;
  *message.mutable_epoch_ack() = ack;
  owner_.SendToCoordinator(std::move(message));
  if (!checkpoint) return;
  {
    MutexLock lock(mutex_);
    if (++checkpoint_acks_[ack.epoch()] < tasks_.size()) return;
    // Epochs come in order: an older one that some task has not passed never will be.
    checkpoint_acks_.erase(checkpoint_acks_.begin(), checkpoint_acks_.upper_bound(ack.epoch()));
    newest_checkpoint_ = ack.epoch();
    if (std::exchange(writing_, true)) return;
  }
  owner_.RunBlocking([self = shared_from_this()] { self->WriteCheckpoints(); });
}

void Attempt::WriteCheckpoints() {
  uint64_t written = 0;
  while (true) {
    {
      MutexLock lock(mutex_);
      if (written == newest_checkpoint_ || *stop_) {
        writing_ = false;
        return;
      }
      written = newest_checkpoint_;
    }
    WriteCheckpoint(written);
  }
}

void Attempt::WriteCheckpoint(uint64_t epoch) {
  v1::WorkerMessage message;
  v1::CheckpointDone* done = message.mutable_checkpoint_done();
  done->set_job_id(job_);
  done->set_attempt(attempt_);
  done->set_epoch(epoch);
  const auto overtaken = [&] { return newest_checkpoint_ != epoch; };
  absl::StatusOr<std::vector<v1::CheckpointFile>> files = state_->Checkpoint(overtaken);
  // Nobody waits for it any more.
  if (!files.ok() && (overtaken() || *stop_)) return;
  if (files.ok()) {
    for (v1::CheckpointFile& file : *files) *done->add_files() = std::move(file);
  } else {
    ToProto(WithContext(files.status(), "cannot write the checkpoint"), done->mutable_error());
  }
  MR_CRASHPOINT("checkpoint.before_report");
  owner_.SendToCoordinator(std::move(message));
}

void Attempt::OnTaskDone(const v1::TaskProgress& progress, TaskOutcome outcome) {
  // The owner may drop its reference as soon as it knows that the tasks have ended.
  const std::shared_ptr<Attempt> self = shared_from_this();
  v1::WorkerMessage message;
  v1::TaskUpdate* update = message.mutable_task_update();
  *update->mutable_progress() = progress;
  if (!outcome.status.ok()) ToProto(outcome.status, update->mutable_error());
  uint64_t rows = 0;
  for (v1::StagedFile& file : outcome.staged_files) {
    rows += file.rows();
    *update->add_staged_files() = std::move(file);
  }
  update->set_sink_rows(rows);
  for (v1::KeptRow& row : outcome.kept_rows) *update->add_kept_rows() = std::move(row);
  if (auto result = FindResult(progress.fragment(), progress.task_index())) {
    result->Finish(outcome.cancelled
                       ? MakeError(SqlState::kQueryCanceled, "the statement was cancelled")
                       : outcome.status);
  }
  owner_.SendToCoordinator(std::move(message));
  {
    MutexLock lock(mutex_);
    if (--num_running_ > 0) return;
  }
  owner_.OnTasksEnded(job_, attempt_);
}

void Attempt::RequestSplits(uint32_t scan_id, uint32_t task_index,
                            const std::vector<uint64_t>& finished_split_ids) {
  v1::WorkerMessage message;
  v1::SplitRequest* request = message.mutable_split_request();
  request->set_job_id(job_);
  request->set_attempt(attempt_);
  request->set_scan_id(scan_id);
  request->set_task_index(task_index);
  request->mutable_finished_split_ids()->Add(finished_split_ids.begin(), finished_split_ids.end());
  owner_.SendToCoordinator(std::move(message));
}

}  // namespace millrace
