#include "coordinator/job/stream_jobs.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "coordinator/epoch/plan_hash.h"
#include "coordinator/job/job_files.h"
#include "coordinator/job/stream_entry.h"
#include "coordinator/scheduler/placement.h"
#include "coordinator/scheduler/spread_plan.h"

namespace millrace {
namespace {

// How often waiting statements look at their deadlines.
constexpr std::chrono::milliseconds kStreamPause(50);

absl::Status NotReadable(const std::string& name, StreamPhase phase, const absl::Status& error) {
  if (phase == StreamPhase::kCancelled) {
    return MakeError(
        SqlState::kObjectNotInPrerequisiteState,
        absl::StrCat("materialized view ", name, " cannot be read, its job was cancelled"),
        "drop it and create it again");
  }
  if (!error.ok()) {
    return MakeError(SqlState::kObjectNotInPrerequisiteState,
                     absl::StrCat("materialized view ", name,
                                  " cannot be read, its job has failed: ", error.message()),
                     absl::StrCat("repair the cause, then go on with: millrace job restart ", name,
                                  "; or drop the view and create it again"));
  }
  ErrorDetail detail;
  detail.state = SqlState::kObjectNotInPrerequisiteState;
  detail.blame = Blame::kExternal;
  detail.retry = Retry::kSafe;
  detail.hint = "its job is starting, or restarting after a loss; try again";
  return MakeError(detail, absl::StrCat("materialized view ", name, " cannot be read yet"));
}

}  // namespace

// It was cancelled in an earlier process, or could not be taken up when this one was started.
absl::Status NobodyKeeps(const JobStore& jobs, uint64_t object_id) {
  for (const v1::JobRecord& record : jobs.List()) {
    const auto& objects = record.object_ids();
    if (!record.streaming()) continue;
    if (std::find(objects.begin(), objects.end(), object_id) == objects.end()) continue;
    if (record.state() == v1::JOB_STATE_CANCELLED) {
      return NotReadable(record.name(), StreamPhase::kCancelled, absl::OkStatus());
    }
    const std::string& error = record.error_message();
    return MakeError(
        SqlState::kObjectNotInPrerequisiteState,
        absl::StrCat("a materialized view of job ", record.name(),
                     " cannot be read, the job was not taken up when the coordinator was started",
                     error.empty() ? "" : ": ", error),
        absl::StrCat("the coordinator's log says why; repair the cause, then go on with: millrace "
                     "job restart ",
                     record.name()));
  }
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   "a materialized view cannot be read, its job is gone",
                   "drop the view and create it again");
}

absl::Status NoSuchStream(uint64_t job_id) {
  return MakeError(SqlState::kUndefinedObject,
                   absl::StrCat("streaming job ", job_id, " does not exist"));
}

absl::Status StreamJobs::NotRunning(const Stream& stream) {
  const char* what = stream.phase == StreamPhase::kCancelled ? " was cancelled" : " has failed: ";
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   absl::StrCat("streaming job ", stream.spec.name, what,
                                stream.phase == StreamPhase::kCancelled ? absl::string_view()
                                                                        : stream.error.message()));
}

StreamJobs::StreamJobs(Parts parts) : parts_(parts), self_(std::make_shared<StreamJobs*>(this)) {}

StreamJobs::~StreamJobs() = default;

StreamJobs::Stream* StreamJobs::Find(uint64_t job_id) const {
  auto it = streams_.find(job_id);
  return it == streams_.end() ? nullptr : it->second.get();
}

absl::Status StreamJobs::Start(StreamSpec spec) {
  MR_RETURN_IF_ERROR(parts_.files.Write(spec.job_id, FileOf(spec)));
  spec.plan = std::make_shared<const v1::PhysicalPlan>(SpreadPlan(*spec.planned, spec.parallelism));
  const uint64_t job_id = spec.job_id;
  {
    MutexLock lock(mutex_);
    MR_CHECK(!streams_.contains(job_id));
    auto stream = std::make_shared<Stream>();
    stream->spec = std::move(spec);
    stream->plan_hash = PlanHash(*stream->spec.planned);
    FindTables(*stream);
    // Not before the statement's own attempt to start it, which reports its error at once.
    stream->start_queued = true;
    streams_[job_id] = std::move(stream);
  }
  return StartAttempt(job_id);
}

absl::Status StreamJobs::Wait(Cancellation& token,
                              const std::function<absl::StatusOr<bool>()>& done) {
  while (true) {
    {
      MutexLock lock(mutex_);
      MR_ASSIGN_OR_RETURN(bool now, done());
      if (now) return absl::OkStatus();
      if (shut_down_) {
        return MakeError(SqlState::kCannotConnectNow, "the server is shutting down");
      }
      changed_.WaitFor(mutex_, kStreamPause);
      MR_ASSIGN_OR_RETURN(now, done());
      if (now) return absl::OkStatus();
    }
    token.CheckDeadline(parts_.clock);
    MR_RETURN_IF_ERROR(token.status());
  }
}

void StreamJobs::Shutdown() {
  MutexLock lock(mutex_);
  shut_down_ = true;
  changed_.NotifyAll();
}

absl::Status StreamJobs::WaitFirstEpoch(uint64_t job_id, Cancellation& token) {
  return Wait(token, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
    const Stream* stream = Find(job_id);
    if (stream == nullptr) return NoSuchStream(job_id);
    if (!stream->error.ok()) return stream->error;
    return stream->ever_published;
  });
}

absl::Status StreamJobs::WaitUntil(uint64_t job_id, const Condition& done, int64_t timeout_micros,
                                   Cancellation& token) {
  const int64_t deadline = parts_.clock.MonotonicMicros() + timeout_micros;
  return Wait(token, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
    const Stream* stream = Find(job_id);
    if (stream == nullptr) return NoSuchStream(job_id);
    if (!stream->error.ok()) return stream->error;
    MR_ASSIGN_OR_RETURN(const bool now, done(ViewOf(*stream)));
    if (!now && parts_.clock.MonotonicMicros() >= deadline) {
      return MakeError(SqlState::kQueryCanceled, "the time to wait for the view is over");
    }
    return now;
  });
}

absl::Status StreamJobs::Flush(Cancellation& token) {
  std::set<uint64_t> waiting;
  uint64_t started_before = 0;
  {
    MutexLock lock(mutex_);
    started_before = newest_epoch_;
    for (auto& [id, stream] : streams_) {
      if (stream->phase != StreamPhase::kRunning) continue;
      stream->epoch_forced = true;
      waiting.insert(id);
    }
  }
  return Wait(token, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
    std::erase_if(waiting, [&](uint64_t id) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      const Stream* stream = Find(id);
      return stream == nullptr || stream->phase != StreamPhase::kRunning ||
             stream->epochs->complete_through() > started_before;
    });
    return waiting.empty();
  });
}

absl::Status StreamJobs::Stop(uint64_t job_id, Cancellation& token) {
  {
    MutexLock lock(mutex_);
    Stream* stream = Find(job_id);
    if (stream == nullptr) return NoSuchStream(job_id);
    if (stream->phase == StreamPhase::kFailed || stream->phase == StreamPhase::kCancelled) {
      return absl::OkStatus();
    }
    stream->stop_requested = true;
    ++stream->num_stopping;
  }
  const absl::Status stopped =
      Wait(token, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
        const Stream* stream = Find(job_id);
        if (stream == nullptr) return NoSuchStream(job_id);
        if (!stream->error.ok()) return stream->error;
        return stream->final_durable;
      });
  MutexLock lock(mutex_);
  Stream* stream = Find(job_id);
  if (stream == nullptr) return stopped;
  const bool last = --stream->num_stopping == 0;
  // Nobody would expect it to stop later. Its last epoch cannot be called back.
  if (last && !stopped.ok() && stream->final_epoch == 0) stream->stop_requested = false;
  return stopped;
}

// Ends the attempt and what is served; null if there is no such job.
std::shared_ptr<StreamJobs::Stream> StreamJobs::EndRun(uint64_t job_id,
                                                       const absl::Status& reason) {
  std::shared_ptr<Stream> stream;
  uint32_t attempt = 0;
  bool runs = false;
  {
    MutexLock lock(mutex_);
    const auto found = streams_.find(job_id);
    if (found == streams_.end()) return nullptr;
    stream = found->second;
    attempt = stream->attempt;
    runs = stream->phase == StreamPhase::kRunning && !stream->attempt_ended;
    if (stream->phase == StreamPhase::kServing) ReleaseWorkers(*stream, reason);
    stream->phase = StreamPhase::kCancelled;
    stream->error = reason;
    changed_.NotifyAll();
  }
  parts_.runs.Cancel(job_id, attempt, reason);
  // Else when its tasks have ended.
  if (!runs) CleanUpCancelled(job_id);
  return stream;
}

absl::Status StreamJobs::Cancel(uint64_t job_id, const absl::Status& reason) {
  {
    MutexLock lock(mutex_);
    if (Find(job_id) == nullptr) return NoSuchStream(job_id);
  }
  const int64_t now = parts_.clock.WallMicros();
  bool finished = false;
  // First, so that a restart under way sees it before or after its own change of the record.
  const absl::Status recorded = parts_.store.Update(job_id, [&](v1::JobRecord& record) {
    finished = record.state() == v1::JOB_STATE_FINISHED;
    if (finished || record.state() == v1::JOB_STATE_CANCELLED) return;
    record.set_state(v1::JOB_STATE_CANCELLED);
    record.set_ended_at_micros(now);
  });
  if (recorded.ok() && finished) return absl::OkStatus();
  // Also if it could not be recorded: it may be what fills the disk.
  EndRun(job_id, reason);
  return recorded;
}

// The record goes in one step: after a crash the job is there as it was, or not at all.
absl::Status StreamJobs::Drop(uint64_t job_id, const std::vector<MetadataWrite>& also) {
  const std::shared_ptr<Stream> stream = EndRun(job_id, CancelledByUser());
  {
    MutexLock lock(mutex_);
    streams_.erase(job_id);
    changed_.NotifyAll();
  }
  MR_RETURN_IF_ERROR(parts_.store.Remove(job_id, also));
  // A worker that has not heard of it yet may still add a file to its last checkpoint; what it has
  // staged it removes itself.
  absl::Status removed;
  if (stream != nullptr) removed = RemoveStaged(job_id, *stream->spec.planned, UINT32_MAX);
  removed.Update(parts_.files.Remove(job_id));
  removed.Update(parts_.checkpoints.RemoveAll(job_id));
  return removed;
}

void AddParts(const v1::PhysicalPlan& plan, const std::vector<v1::TaskPlacement>& placements,
              const ViewPartAtEpoch& base, std::vector<ViewPartAtEpoch>& parts) {
  for (const v1::Fragment& fragment : plan.fragments()) {
    bool keeps = false;
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      keeps = keeps || (node.has_view_sink() && node.view_sink().object_id() == base.object_id);
    });
    if (!keeps) continue;
    for (const v1::TaskPlacement& placement : placements) {
      if (placement.fragment() != fragment.id()) continue;
      ViewPartAtEpoch part = base;
      part.task_index = placement.task_index();
      part.worker_id = placement.worker_id();
      parts.push_back(part);
    }
  }
}

bool KeepsView(const v1::PhysicalPlan& plan, uint64_t object_id) {
  std::vector<ViewPartAtEpoch> parts;
  ViewPartAtEpoch base;
  base.object_id = object_id;
  for (const v1::Fragment& fragment : plan.fragments()) {
    v1::TaskPlacement placement;
    placement.set_fragment(fragment.id());
    AddParts(plan, {placement}, base, parts);
  }
  return !parts.empty();
}

namespace {

JobCutOffer OfferOf(uint64_t job_id, StreamPhase phase, const JobEpochs& epochs) {
  JobCutOffer offer;
  offer.job_id = job_id;
  offer.running = phase == StreamPhase::kRunning;
  offer.complete_through = epochs.complete_through();
  for (const PublishedEpoch& published : epochs.published()) {
    offer.readable.push_back(published.epoch);
  }
  return offer;
}

}  // namespace

absl::StatusOr<BoundViews> StreamJobs::BindViews(const std::set<ViewRead>& reads) {
  MutexLock lock(mutex_);
  return BindLocked(reads);
}

absl::StatusOr<BoundViews> StreamJobs::AwaitViews(const std::set<ViewRead>& reads,
                                                  int64_t timeout_micros, Cancellation& token) {
  const int64_t deadline = parts_.clock.MonotonicMicros() + timeout_micros;
  absl::StatusOr<BoundViews> bound = BoundViews();
  MR_RETURN_IF_ERROR(Wait(token, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
    bound = BindLocked(reads);
    return bound.ok() || GetErrorDetail(bound.status()).retry != Retry::kSafe ||
           parts_.clock.MonotonicMicros() >= deadline;
  }));
  return bound;
}

absl::StatusOr<BoundViews> StreamJobs::BindLocked(const std::set<ViewRead>& reads) {
  BoundViews bound;
  if (reads.empty()) return bound;
  // Reads with the same AS OF share a cut.
  std::map<uint64_t, std::vector<std::pair<ViewRead, Stream*>>> groups;
  for (const ViewRead& read : reads) {
    Stream* keeper = nullptr;
    for (auto& [id, stream] : streams_) {
      if (KeepsView(*stream->spec.plan, read.object_id)) keeper = stream.get();
    }
    if (keeper == nullptr) {
      return NobodyKeeps(parts_.store, read.object_id);
    }
    const bool readable =
        keeper->phase == StreamPhase::kRunning || keeper->phase == StreamPhase::kServing;
    if (!readable || keeper->worker_lost || keeper->epochs == nullptr ||
        keeper->epochs->published().empty()) {
      return NotReadable(keeper->spec.name, keeper->phase, keeper->error);
    }
    groups[read.as_of_epoch].emplace_back(read, keeper);
  }
  std::vector<uint64_t> epochs;
  for (const auto& [as_of, group] : groups) {
    std::map<uint64_t, JobCutOffer> offers;
    for (const auto& [read, stream] : group) {
      offers[stream->spec.job_id] = OfferOf(stream->spec.job_id, stream->phase, *stream->epochs);
    }
    std::vector<JobCutOffer> jobs;
    for (auto& [id, offer] : offers) jobs.push_back(std::move(offer));
    MR_ASSIGN_OR_RETURN(
        const Cut cut, ChooseCut(jobs, as_of == 0 ? std::nullopt : std::optional<uint64_t>(as_of)));
    for (const auto& [read, stream] : group) {
      ViewPartAtEpoch base;
      base.object_id = read.object_id;
      base.as_of_epoch = as_of;
      base.job_id = stream->spec.job_id;
      base.attempt = stream->attempt;
      base.epoch = cut.epoch_of_job.at(stream->spec.job_id);
      AddParts(*stream->spec.plan, stream->placements, base, bound.parts);
      epochs.push_back(base.epoch);
    }
    bound.epoch = std::max(bound.epoch, cut.epoch);
  }
  for (uint64_t epoch : epochs) ++pinned_[epoch];
  bound.pin =
      std::shared_ptr<void>(nullptr, [weak = std::weak_ptr<StreamJobs*>(self_), epochs](void*) {
        const std::shared_ptr<StreamJobs*> self = weak.lock();
        if (self == nullptr) return;
        MutexLock unpin_lock((*self)->mutex_);
        for (uint64_t epoch : epochs) {
          if (--(*self)->pinned_[epoch] == 0) (*self)->pinned_.erase(epoch);
        }
      });
  return bound;
}

StreamView StreamJobs::ViewOf(const Stream& stream) const {
  StreamView view;
  view.job_id = stream.spec.job_id;
  view.name = stream.spec.name;
  view.phase = stream.phase;
  view.attempt = stream.attempt;
  view.durable_epoch = stream.durable_epoch;
  if (stream.epochs != nullptr) view.published = stream.epochs->published();
  // A stop has a final epoch too.
  view.complete = !view.published.empty() && view.published.back().kind == EpochKind::kFinal &&
                  (stream.final_durable ? !stream.serve_only : stream.InputHasEnded());
  view.stopped = stream.serve_only;
  view.error = stream.error;
  view.last_error = stream.error.ok() ? stream.last_error : stream.error;
  // Of an attempt that gets on it is one of the restarts.
  const bool gets_on = stream.phase == StreamPhase::kServing ||
                       (stream.phase == StreamPhase::kRunning && stream.failed_checkpoints == 0);
  if (!gets_on) view.waits_for = view.last_error;
  view.kept_rows = stream.kept_rows.rows();
  AttemptTasks now = parts_.runs.LastTasks(stream.spec.job_id);
  view.tasks = now.tasks.empty() ? stream.last_tasks : std::move(now.tasks);
  view.scan_rates = std::move(now.scan_rates);
  view.plan = stream.spec.plan;
  return view;
}

std::optional<StreamView> StreamJobs::View(uint64_t job_id) const {
  MutexLock lock(mutex_);
  const Stream* stream = Find(job_id);
  if (stream == nullptr) return std::nullopt;
  return ViewOf(*stream);
}

uint64_t StreamJobs::stale_messages() const {
  MutexLock lock(mutex_);
  return stale_messages_;
}

std::vector<StreamView> StreamJobs::Views() const {
  MutexLock lock(mutex_);
  std::vector<StreamView> views;
  for (const auto& [id, stream] : streams_) views.push_back(ViewOf(*stream));
  return views;
}

}  // namespace millrace
