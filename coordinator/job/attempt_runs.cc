#include "coordinator/job/attempt_runs.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "coordinator/job/deployment_size.h"
#include "coordinator/scheduler/meeting_scans.h"
#include "coordinator/scheduler/placement.h"

namespace millrace {
namespace {

// Workers stop their tasks within a second; one that does not answer in this time is left to
// itself.
constexpr int64_t kCancelTimeoutMicros = 5'000'000;

// The job and attempt that a message is about; false for what others handle.
bool AddressOf(const v1::WorkerMessage& message, uint64_t* job_id, uint32_t* attempt) {
  const auto take = [&](const auto& part) {
    *job_id = part.job_id();
    *attempt = part.attempt();
    return true;
  };
  switch (message.message_case()) {
    case v1::WorkerMessage::kSplitRequest:
      return take(message.split_request());
    case v1::WorkerMessage::kTaskUpdate:
      return take(message.task_update().progress());
    case v1::WorkerMessage::kDeployed:
      return take(message.deployed());
    case v1::WorkerMessage::kCancelled:
      return take(message.cancelled());
    default:
      return false;
  }
}

// A worker that is about to leave gets only what no other can do: reading the rows of views that it
// keeps.
std::vector<SlotOffer> OffersFor(const std::vector<ScanSplits>& scans,
                                 const std::vector<WorkerEntry>& connected) {
  std::set<uint32_t> keepers;
  for (const ScanSplits& scan : scans) {
    for (const v1::Split& split : scan.splits) keepers.insert(split.worker_id());
  }
  std::vector<SlotOffer> offers;
  for (const WorkerEntry& worker : connected) {
    if (worker.phase == WorkerPhase::kActive || keepers.contains(worker.id.value())) {
      offers.push_back({worker.id, worker.slots});
    }
  }
  return offers;
}

// A worker can be lost between the choice of a cut and now. Trying again can help, unlike with a
// parallelism that does not reach a worker.
absl::Status CheckViewsAreThere(const std::vector<ScanSplits>& scans,
                                const std::vector<SlotOffer>& offers) {
  std::set<uint32_t> active;
  for (const SlotOffer& offer : offers) active.insert(offer.worker.value());
  for (const ScanSplits& scan : scans) {
    for (const v1::Split& split : scan.splits) {
      if (split.worker_id() == 0 || active.contains(split.worker_id())) continue;
      return MakeError(
          ErrorDetail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe},
          absl::StrCat("worker ", split.worker_id(), ", which kept rows of a view, was lost"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

AttemptRuns::AttemptRuns(WorkerRegistry& registry, const Clock& clock)
    : registry_(registry), clock_(clock) {}

absl::StatusOr<std::unique_ptr<AttemptRuns::Run>> AttemptRuns::MakeRun(
    AttemptSpec spec, std::shared_ptr<AttemptObserver> observer) const {
  MR_RETURN_IF_ERROR(CheckDeploymentSize(*spec.plan, spec.restore));
  const std::vector<SlotOffer> offers = OffersFor(spec.scans, registry_.Connected());
  // What nobody has asked for is what the slots give. What has begun with more workers goes on with
  // those that are left.
  if (spec.attempt == 1 && !offers.empty() && spec.settings.contains("parallelism")) {
    MR_RETURN_IF_ERROR(CheckChannels(*spec.plan, offers.size()));
  }
  MR_RETURN_IF_ERROR(CheckViewsAreThere(spec.scans, offers));
  auto run = std::make_unique<Run>();
  MR_ASSIGN_OR_RETURN(run->placements, PlaceTasks(*spec.plan, offers, spec.job_id));
  for (const v1::TaskPlacement& placement : run->placements) {
    const TaskKey task{placement.fragment(), placement.task_index()};
    run->worker_of[task] = WorkerId(placement.worker_id());
    v1::TaskProgress& progress = run->progress[task];
    progress.set_job_id(spec.job_id);
    progress.set_attempt(spec.attempt);
    progress.set_fragment(placement.fragment());
    progress.set_task_index(placement.task_index());
    progress.set_worker_id(placement.worker_id());
    progress.set_state(v1::TASK_STATE_DEPLOYING);
  }
  for (ScanSplits& scan : spec.scans) {
    const uint32_t width = spec.plan->fragments(static_cast<int>(scan.fragment)).parallelism();
    const uint32_t scan_id = scan.scan_id;
    SplitPool pool(std::move(scan), width);
    MR_RETURN_IF_ERROR(pool.CheckReachable(run->placements));
    run->pools.emplace(scan_id, std::move(pool));
  }
  spec.scans.clear();
  run->meeting_scans = MeetingScans(*spec.plan);
  run->state.emplace(run->placements);
  run->spec = std::move(spec);
  run->rates.emplace(*run->spec.plan);
  run->observer = std::move(observer);
  return run;
}

absl::StatusOr<std::vector<v1::TaskPlacement>> AttemptRuns::Start(
    AttemptSpec spec, std::shared_ptr<AttemptObserver> observer) {
  const uint64_t job_id = spec.job_id;
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Run> run, MakeRun(std::move(spec), std::move(observer)));
  std::vector<v1::TaskPlacement> placements = run->placements;
  Notice notice;
  {
    MutexLock lock(mutex_);
    MR_CHECK(!runs_.contains(job_id));
    Run& started = *(runs_[job_id] = std::move(run));
    Deploy(started, notice);
  }
  if (notice.action == AttemptState::Action::kEnded) return notice.outcome.status;
  return placements;
}

void AttemptRuns::Deploy(Run& run, Notice& notice) {
  v1::CoordinatorMessage message;
  v1::DeployAttempt& deploy = *message.mutable_deploy();
  deploy.set_job_id(run.spec.job_id);
  deploy.set_attempt(run.spec.attempt);
  *deploy.mutable_plan() = *run.spec.plan;
  for (const v1::TaskPlacement& placement : run.placements) *deploy.add_placements() = placement;
  for (const WorkerEntry& worker : registry_.All()) {
    if (!run.state->has_worker(worker.id)) continue;
    (*deploy.mutable_worker_addresses())[worker.id.value()] = worker.data_address;
  }
  for (const auto& [name, value] : run.spec.settings) (*deploy.mutable_settings())[name] = value;
  (*deploy.mutable_settings())["cluster"] = registry_.file_cluster();
  deploy.set_memory_bytes_max(run.spec.memory_bytes_max);
  deploy.set_scans_wait_for_allowance(run.spec.scans_wait);
  if (run.spec.restore.has_value()) {
    deploy.set_restore_epoch(run.spec.restore->epoch());
    *deploy.mutable_restore_manifest() = *run.spec.restore;
  }
  const std::set<WorkerId> workers = run.state->workers();
  // Nobody has to wait for other workers: splits and start travel with the tasks.
  if (workers.size() == 1 && !run.spec.plan->streaming()) {
    run.starts_itself = true;
    deploy.set_start(true);
    HandOutSplits(run, *workers.begin(), &deploy);
  }
  for (WorkerId worker : workers) {
    if (registry_.Send(worker, message)) continue;
    // It went between placement and now; its loss was reported before this run was known.
    const auto action = run.state->OnWorkerLost(
        worker,
        MakeError(ErrorDetail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe},
                  absl::StrCat("worker ", worker.value(), " was lost")));
    notice = Act(run, action);
    return;
  }
}

AttemptRuns::Run* AttemptRuns::FindRun(uint64_t job_id, uint32_t attempt) {
  auto it = runs_.find(job_id);
  if (it == runs_.end() || it->second->spec.attempt != attempt) return nullptr;
  return it->second.get();
}

AttemptRuns::Notice AttemptRuns::Act(Run& run, AttemptState::Action action) {
  Notice notice;
  notice.action = action;
  if (action == AttemptState::Action::kNone) return notice;
  notice.observer = run.observer;
  if (action == AttemptState::Action::kStart && run.starts_itself) return notice;
  if (action == AttemptState::Action::kStart) {
    v1::CoordinatorMessage message;
    message.mutable_start()->set_job_id(run.spec.job_id);
    message.mutable_start()->set_attempt(run.spec.attempt);
    for (WorkerId worker : run.state->workers()) registry_.Send(worker, message);
  } else if (action == AttemptState::Action::kCancel) {
    run.cancel_deadline_micros = clock_.MonotonicMicros() + kCancelTimeoutMicros;
    v1::CoordinatorMessage message;
    message.mutable_cancel()->set_job_id(run.spec.job_id);
    message.mutable_cancel()->set_attempt(run.spec.attempt);
    message.mutable_cancel()->set_reason(std::string(run.state->outcome().message()));
    for (WorkerId worker : run.state->workers()) registry_.Send(worker, message);
  } else if (action == AttemptState::Action::kEnded) {
    notice.outcome.status = run.state->outcome();
    notice.outcome.staged_files = std::move(run.staged_files);
    notice.outcome.sink_rows = run.sink_rows;
    notice.outcome.kept_rows = std::move(run.kept_rows);
    notice.outcome.lost_tasks = std::move(run.lost_tasks);
    notice.outcome.lost_reading = std::move(run.lost_reading);
    SettleTasks(run);
    for (auto& [task, progress] : run.progress) {
      notice.outcome.tasks.push_back(std::move(progress));
    }
    if (run.spec.script_job_id != 0) {
      ended_.Remember({run.spec.job_id, run.spec.plan, notice.outcome.tasks});
    }
    runs_.erase(run.spec.job_id);
  }
  return notice;
}

void AttemptRuns::SettleTasks(Run& run) {
  if (run.state->outcome().ok()) return;
  for (auto& [task, progress] : run.progress) {
    if (progress.state() < v1::TASK_STATE_FINISHED) {
      progress.set_state(v1::TASK_STATE_CANCELLED);
      progress.clear_waiting_for();
    }
  }
}

void AttemptRuns::Tell(Notice notice) {
  if (notice.observer == nullptr) return;
  if (notice.action == AttemptState::Action::kStart) notice.observer->OnStarted();
  if (notice.action == AttemptState::Action::kEnded) {
    notice.observer->OnEnded(std::move(notice.outcome));
  }
}

void AttemptRuns::Cancel(uint64_t job_id, uint32_t attempt, const absl::Status& reason) {
  Notice notice;
  {
    MutexLock lock(mutex_);
    Run* run = FindRun(job_id, attempt);
    if (run == nullptr) return;
    notice = Act(*run, run->state->Cancel(reason));
  }
  Tell(std::move(notice));
}

void AttemptRuns::ExpireCancellations() {
  std::vector<Notice> notices;
  {
    MutexLock lock(mutex_);
    const int64_t now = clock_.MonotonicMicros();
    std::vector<Run*> expired;
    for (auto& [id, run] : runs_) {
      if (now >= run->cancel_deadline_micros) expired.push_back(run.get());
    }
    for (Run* run : expired) {
      Log(LogLevel::kWarning, "job", "a worker has not answered a cancellation",
          {{"job", run->spec.job_id}, {"attempt", run->spec.attempt}});
      notices.push_back(Act(*run, run->state->GiveUp()));
    }
  }
  for (Notice& notice : notices) Tell(std::move(notice));
}

std::vector<v1::TaskProgress> AttemptRuns::Progress(uint64_t job_id) const {
  MutexLock lock(mutex_);
  std::vector<v1::TaskProgress> tasks;
  auto it = runs_.find(job_id);
  if (it == runs_.end()) return tasks;
  for (const auto& [task, progress] : it->second->progress) tasks.push_back(progress);
  return tasks;
}

AttemptTasks AttemptRuns::LastTasks(uint64_t job_id) const {
  MutexLock lock(mutex_);
  const auto it = runs_.find(job_id);
  if (it != runs_.end()) return TasksOf(*it->second);
  const AttemptTasks* ended = ended_.Find(job_id);
  return ended == nullptr ? AttemptTasks() : *ended;
}

AttemptTasks AttemptRuns::TasksOf(const Run& run) const {
  const int64_t now = clock_.MonotonicMicros();
  AttemptTasks tasks;
  tasks.job_id = run.spec.job_id;
  tasks.plan = run.spec.plan;
  for (const auto& [task, progress] : run.progress) {
    const TaskRate rate = run.rates->Of(task, now);
    v1::TaskProgress& out = tasks.tasks.emplace_back(progress);
    out.set_rows_in_per_second(rate.rows_in);
    out.set_rows_out_per_second(rate.rows_out);
    if (rate.rows_scanned > 0) tasks.scan_rates[task] = rate.rows_scanned;
  }
  return tasks;
}

std::vector<AttemptTasks> AttemptRuns::AllTasks() const {
  MutexLock lock(mutex_);
  std::vector<AttemptTasks> all = ended_.All();
  for (const auto& [id, run] : runs_) all.push_back(TasksOf(*run));
  return all;
}

uint64_t AttemptRuns::stale_messages() const {
  MutexLock lock(mutex_);
  return stale_messages_;
}

bool AttemptRuns::Uses(WorkerId worker) const {
  MutexLock lock(mutex_);
  return std::any_of(runs_.begin(), runs_.end(),
                     [&](const auto& run) { return run.second->state->has_worker(worker); });
}

void AttemptRuns::OnWorkerJoined(WorkerId worker) {
  Log(LogLevel::kInfo, "membership", "worker joined", {{"worker", worker.value()}});
}

void AttemptRuns::NoteLostTask(Run& run, const TaskKey& task) {
  run.lost_tasks.insert(task);
  for (const auto& [scan_id, pool] : run.pools) {
    if (pool.fragment() != task.fragment) continue;
    const auto reads = run.reading.find({scan_id, task.task_index});
    if (reads == run.reading.end()) continue;
    run.lost_reading.insert(reads->second.begin(), reads->second.end());
  }
}

void AttemptRuns::OnWorkerLost(WorkerId worker, const absl::Status& reason) {
  std::vector<Notice> notices;
  {
    MutexLock lock(mutex_);
    std::vector<Run*> concerned;
    for (auto& [id, run] : runs_) {
      if (run->state->has_worker(worker)) concerned.push_back(run.get());
    }
    for (Run* run : concerned) {
      for (auto& [task, progress] : run->progress) {
        const bool ended = progress.state() >= v1::TASK_STATE_FINISHED;
        if (ended || run->worker_of[task] != worker) continue;
        progress.set_state(v1::TASK_STATE_FAILED);
        ToProto(reason, progress.mutable_error());
        NoteLostTask(*run, task);
      }
      notices.push_back(Act(*run, run->state->OnWorkerLost(worker, reason)));
    }
  }
  for (Notice& notice : notices) Tell(std::move(notice));
}

void AttemptRuns::OnWorkerMessage(WorkerId worker, const v1::WorkerMessage& message) {
  Notice notice;
  {
    MutexLock lock(mutex_);
    if (message.has_heartbeat()) {
      std::set<uint64_t> jobs;
      for (const auto& progress : message.heartbeat().tasks()) {
        ApplyProgress(progress);
        jobs.insert(progress.job_id());
      }
      for (const uint64_t job : jobs) {
        const auto run = runs_.find(job);
        if (run != runs_.end() && run->second->spec.plan->streaming()) TellIdleTasks(*run->second);
      }
      return;
    }
    uint64_t job_id = 0;
    uint32_t attempt = 0;
    if (!AddressOf(message, &job_id, &attempt)) return;
    Run* run = FindRun(job_id, attempt);
    if (run == nullptr || !run->state->has_worker(worker)) {
      ++stale_messages_;
      return;
    }
    notice = Dispatch(*run, worker, message);
  }
  Tell(std::move(notice));
}

AttemptRuns::Notice AttemptRuns::Dispatch(Run& run, WorkerId worker,
                                          const v1::WorkerMessage& message) {
  switch (message.message_case()) {
    case v1::WorkerMessage::kSplitRequest:
      OnSplitRequest(run, worker, message.split_request());
      return {};
    case v1::WorkerMessage::kTaskUpdate:
      return OnTaskUpdate(run, message.task_update());
    case v1::WorkerMessage::kDeployed: {
      const v1::AttemptDeployed& deployed = message.deployed();
      const absl::Status status =
          deployed.has_error() ? FromProto(deployed.error()) : absl::OkStatus();
      return Act(run, run.state->OnDeployed(worker, status));
    }
    case v1::WorkerMessage::kCancelled:
      return Act(run, run.state->OnWorkerCancelled(worker));
    default:
      return {};
  }
}

void AttemptRuns::ApplyProgress(const v1::TaskProgress& progress) {
  Run* run = FindRun(progress.job_id(), progress.attempt());
  if (run == nullptr) return;
  auto it = run->progress.find({progress.fragment(), progress.task_index()});
  if (it == run->progress.end()) return;
  // What a task said at its end stays.
  if (it->second.state() >= v1::TASK_STATE_FINISHED && progress.state() < v1::TASK_STATE_FINISHED) {
    return;
  }
  it->second = progress;
  run->rates->Observe(progress, clock_.MonotonicMicros());
}

AttemptRuns::Notice AttemptRuns::OnTaskUpdate(Run& run, const v1::TaskUpdate& update) {
  ApplyProgress(update.progress());
  const TaskKey task{update.progress().fragment(), update.progress().task_index()};
  if (update.progress().state() == v1::TASK_STATE_FAILED) {
    *run.progress[task].mutable_error() = update.error();
    return Act(run, run.state->OnTaskFailed(task, FromProto(update.error())));
  }
  if (update.progress().state() != v1::TASK_STATE_FINISHED) return {};
  run.sink_rows += update.sink_rows();
  run.staged_files.insert(run.staged_files.end(), update.staged_files().begin(),
                          update.staged_files().end());
  run.kept_rows.insert(run.kept_rows.end(), update.kept_rows().begin(), update.kept_rows().end());
  return Act(run, run.state->OnTaskFinished(task));
}

}  // namespace millrace
