#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "coordinator/job/stream_entry.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/scheduler/placement.h"

// Epochs of streaming jobs.

namespace millrace {
namespace {

// A job into which nothing comes still gets an epoch this often (in intervals): its counters travel
// with heartbeats, which are slower than epochs, so "nothing" is known late.
constexpr int64_t kIdleIntervals = 4;

// The longest time for which workers that join one after another hold an attempt back.
constexpr int64_t kSettleMaxMicros = 2'000'000;

// While scans wait for allowances, what has come in is read at least this often.
constexpr int64_t kTurnMicros = 500'000;

uint64_t RowsIn(const std::vector<v1::TaskProgress>& tasks) {
  uint64_t rows = 0;
  for (const v1::TaskProgress& task : tasks) rows += task.rows_in();
  return rows;
}

// Whether the stream, which may be what ends workers, must let another one be tried alone. What was
// started last before workers ended is tried first, also after its pause: if it was not that, it
// outlives its turn, and if it was, the others are not lost with it again.
template <typename Streams, typename Stream>
bool AwaitsTurn(const Streams& streams, const Stream& stream, int64_t now) {
  if (!stream.policy.suspected()) return false;
  bool trial = false;
  bool others_turn = false;
  for (const auto& [id, entry] : streams) {
    const auto& other = *entry;
    const bool waits = other.phase == StreamPhase::kWaiting && !other.start_queued;
    const bool runs = other.phase == StreamPhase::kRunning || other.start_queued;
    if (!other.policy.suspected() || (!waits && !runs)) continue;
    const bool has_turn = runs && now < other.trial_until_micros;
    // One that has outlived its turn is tried again when it is lost again.
    trial = trial || (other.policy.on_trial() && (waits || has_turn));
    if (&other == &stream) continue;
    if (runs) {
      others_turn = others_turn || has_turn;
    } else if (other.num_restarting == 0 && IsLoss(other.last_error)) {
      others_turn = others_turn || other.launched_micros > stream.launched_micros;
    }
  }
  return trial && others_turn;
}

}  // namespace

void StreamJobs::Send(const std::set<WorkerId>& workers, const v1::CoordinatorMessage& message) {
  for (WorkerId worker : workers) parts_.registry.Send(worker, message);
}

void StreamJobs::Tick() {
  MutexLock lock(mutex_);
  const int64_t now = parts_.clock.MonotonicMicros();
  std::vector<std::pair<Stream*, EpochKind>> due;
  std::vector<Stream*> idle;
  for (auto& [id, stream] : streams_) {
    if (stream->phase == StreamPhase::kWaiting && !stream->start_queued &&
        stream->num_restarting == 0 && AttemptIsDue(*stream, now)) {
      stream->start_queued = true;
      stream->startable_since_micros = 0;
      stream->trial_until_micros = now + TurnMicros(stream->policy);
      work_.Add(id, [this, job_id = id] { StartAttempt(job_id).IgnoreError(); });
    }
    if (stream->phase != StreamPhase::kRunning || !stream->attempt_started) continue;
    EndTurnIfIdle(*stream, now);
    StoreIfReady(*stream);  // It may have waited long enough for readers.
    ExpireCheckpoint(*stream, now);
    const std::optional<EpochKind> kind = DueEpoch(*stream, now);
    if (kind.has_value()) {
      due.emplace_back(stream.get(), *kind);
    } else {
      idle.push_back(stream.get());
    }
  }
  if (due.empty()) return;
  // One number for all jobs that are due: cuts over several views are close together.
  const absl::StatusOr<uint64_t> epoch = parts_.epoch_ids.Next();
  if (!epoch.ok()) {
    LogError("epoch", "cannot start an epoch", epoch.status());
    return;
  }
  newest_epoch_ = *epoch;
  for (auto& [stream, kind] : due) StartEpoch(*stream, *epoch, kind, now);
  for (Stream* stream : idle) {
    if (stream->quiet) stream->epochs->Skip(*epoch);
  }
  changed_.NotifyAll();
}

// Nothing more can be learnt from a job that waits for rows, and others wait for their turns.
void StreamJobs::EndTurnIfIdle(Stream& stream, int64_t now) {
  if (!stream.policy.suspected() || now >= stream.trial_until_micros) return;
  const int64_t turn_begin = stream.trial_until_micros - TurnMicros(stream.policy);
  if (now - turn_begin < kIdleTurnMicros) return;
  stream.last_tasks = parts_.runs.LastTasks(stream.spec.job_id).tasks;
  std::set<TaskKey> all;
  for (const v1::TaskProgress& task : stream.last_tasks) {
    all.insert({task.fragment(), task.task_index()});
  }
  if (!all.empty() && stream.StoodIdle(all)) stream.trial_until_micros = now;
}

// The workers of a cluster that starts are awaited, but not for ever: one that joins again and
// again must not keep everybody waiting.
bool StreamJobs::AttemptIsDue(Stream& stream, int64_t now) const {
  if (!parts_.registry.has_active() || now < stream.restart_at_micros) {
    stream.startable_since_micros = 0;
    return false;
  }
  if (AwaitsTurn(streams_, stream, now)) return false;
  if (stream.startable_since_micros == 0) stream.startable_since_micros = now;
  return now >= std::min(settled_micros_, stream.startable_since_micros + kSettleMaxMicros);
}

std::optional<EpochKind> StreamJobs::DueEpoch(Stream& stream, int64_t now) {
  const JobEpochs& epochs = *stream.epochs;
  stream.quiet = false;
  if (!epochs.CanStart() || FailpointHeld("epoch.hold_start")) return std::nullopt;
  // Everything but the stored tables, which never end unless the job only serves.
  const bool ended = epochs.sources_ended();
  const bool follows = !stream.tables.empty() && !stream.serve_only;
  if ((ended && !follows) || stream.stop_requested || stream.drains || stream.serve_only) {
    // The last one is durable, so it waits for a checkpoint that is under way.
    if (!stream.checkpoint->idle()) return std::nullopt;
    return EpochKind::kFinal;
  }
  if (stream.turns.has_value() && stream.policy.limit().has_value()) {
    return DueTurn(stream, now);
  }
  const bool at_once = stream.epoch_forced || stream.checkpoint_wanted;
  if (now < stream.next_epoch_micros && !at_once) return std::nullopt;
  const bool first = epochs.published().empty();
  if (!first && stream.checkpoint->idle() && CheckpointIsDue(stream, now)) {
    return EpochKind::kCheckpoint;
  }
  const int64_t interval = stream.spec.options.epoch_interval_micros;
  stream.quiet = !first && !stream.epoch_forced && !stream.turns.has_value() &&
                 !epochs.has_in_flight() && !stream.tables_changed &&
                 (ended || SourcesAreQuiet(stream, now));
  if (stream.quiet) {
    stream.next_epoch_micros = (now / interval + 1) * interval;
    return std::nullopt;
  }
  return EpochKind::kPlain;
}

// The epochs of an attempt whose scans wait for allowances: one at a time, and each is durable
// before the next one reads; as long as there is more to read, without a pause. A job into which
// nothing comes makes no checkpoints.
std::optional<EpochKind> StreamJobs::DueTurn(Stream& stream, int64_t now) {
  // What is lost now was lost before the rows of a further epoch.
  if (stream.worker_lost) return std::nullopt;
  if (stream.epochs->has_in_flight() || !stream.checkpoint->idle()) return std::nullopt;
  const RestartPolicy::ReadLimit limit = *stream.policy.limit();
  const bool awaits_checkpoint = AwaitsCheckpoint(stream);
  const bool at_once =
      stream.epoch_forced || stream.checkpoint_wanted ||
      (stream.failed_checkpoints == 0 && (awaits_checkpoint || stream.turns->next_at_once(limit)));
  if (now < stream.next_epoch_micros && !at_once) return std::nullopt;
  const bool reads = stream.turns->reads_next(limit) && stream.turns->has_input();
  return awaits_checkpoint || stream.checkpoint_wanted || reads ? EpochKind::kCheckpoint
                                                                : EpochKind::kPlain;
}

bool StreamJobs::CheckpointIsDue(const Stream& stream, int64_t now) {
  if (stream.checkpoint_wanted) return true;
  return (now >= stream.next_checkpoint_micros || LogIsLong(stream)) && AwaitsCheckpoint(stream);
}

bool StreamJobs::AwaitsCheckpoint(const Stream& stream) {
  if (stream.epochs->published().empty()) return false;
  return RowsRead(stream.epochs->published().back().positions) != stream.durable_rows ||
         stream.staged_epoch > stream.durable_epoch;
}

bool StreamJobs::SourcesAreQuiet(const Stream& stream, int64_t now) const {
  return !stream.epochs->newest_had_input() &&
         now < stream.last_epoch_micros +
                   kIdleIntervals * stream.spec.options.epoch_interval_micros &&
         RowsIn(parts_.runs.Progress(stream.spec.job_id)) == stream.rows_in_at_epoch;
}

void StreamJobs::StartEpoch(Stream& stream, uint64_t epoch, EpochKind kind, int64_t now) {
  const int64_t interval = stream.spec.options.epoch_interval_micros;
  v1::CoordinatorMessage message;
  v1::InjectBarrier& barrier = *message.mutable_inject_barrier();
  if (stream.turns.has_value()) AllowRows(stream, kind, barrier);
  stream.epochs->Start(epoch, kind, TablePositions(stream));
  stream.tables_changed = false;
  stream.epoch_forced = false;
  stream.last_epoch_micros = now;
  stream.rows_in_at_epoch = RowsIn(parts_.runs.Progress(stream.spec.job_id));
  // On a grid, so that jobs with the same interval get the same epochs.
  stream.next_epoch_micros = (now / interval + 1) * interval;
  if (stream.turns.has_value()) {
    stream.next_epoch_micros = std::min(stream.next_epoch_micros, now + kTurnMicros);
  }
  if (kind != EpochKind::kPlain) {
    stream.checkpoint->Begin(epoch, now);
    stream.checkpoint_wanted = false;
    if (kind == EpochKind::kFinal) stream.final_epoch = epoch;
    stream.next_checkpoint_micros = now + stream.spec.options.checkpoint_interval_micros;
  }
  barrier.set_job_id(stream.spec.job_id);
  barrier.set_attempt(stream.attempt);
  barrier.set_epoch(epoch);
  barrier.set_checkpoint(kind != EpochKind::kPlain);
  barrier.set_final(kind == EpochKind::kFinal);
  Send(stream.source_workers, message);
}

// What scans may read before they pass the barrier on. Without a limit, or at the end, they wait no
// longer.
void StreamJobs::AllowRows(Stream& stream, EpochKind kind, v1::InjectBarrier& barrier) {
  const std::optional<RestartPolicy::ReadLimit> limit = stream.policy.limit();
  if (!limit.has_value() || kind == EpochKind::kFinal) {
    stream.turns.reset();
    return;
  }
  const bool waits = AwaitsCheckpoint(stream);
  *barrier.mutable_allowance() =
      stream.turns->Begin(*limit, waits ? ScanTurns::Read::kNothing : ScanTurns::Read::kRows);
  // Whole versions of stored tables are in the epoch.
  if (stream.tables_changed) stream.turns->OnOtherRows();
}

void StreamJobs::OnWorkerMessage(WorkerId worker, const v1::WorkerMessage& message) {
  if (message.has_epoch_ack()) OnEpochAck(worker, message.epoch_ack());
  if (message.has_checkpoint_done()) OnCheckpointDone(worker, message.checkpoint_done());
}

// The job that a report belongs to; null, and counted, if it is one of an older attempt or of
// nobody (I6).
StreamJobs::Stream* StreamJobs::FindRunning(uint64_t job_id, uint32_t attempt, WorkerId worker) {
  Stream* stream = Find(job_id);
  if (stream != nullptr && stream->attempt == attempt && stream->epochs != nullptr &&
      stream->phase == StreamPhase::kRunning && stream->workers.contains(worker)) {
    return stream;
  }
  ++stale_messages_;
  return nullptr;
}

void StreamJobs::OnEpochAck(WorkerId worker, const v1::EpochAck& ack) {
  MutexLock lock(mutex_);
  Stream* stream = FindRunning(ack.job_id(), ack.attempt(), worker);
  if (stream == nullptr) return;
  stream->checkpoint->AddStagedFiles(ack);
  if (!ack.staged_files().empty()) {
    stream->staged_epoch = std::max(stream->staged_epoch, ack.epoch());
  }
  if (stream->turns.has_value()) stream->turns->OnAck(ack);
  stream->kept_rows.Add(ack, parts_.clock.WallMicros());
  for (const PublishedEpoch& published : stream->epochs->Acknowledge(ack)) {
    Publish(*stream, published);
  }
  StoreIfReady(*stream);
}

uint64_t StreamJobs::RetentionFloor() const {
  uint64_t floor = UINT64_MAX;
  for (const auto& [id, stream] : streams_) {
    if (stream->phase != StreamPhase::kRunning) continue;
    const JobEpochs& epochs = *stream->epochs;
    if (!epochs.published().empty()) {
      floor = std::min(floor, epochs.complete_through());
    } else if (epochs.has_in_flight()) {
      // The first that it will offer.
      floor = std::min(floor, epochs.oldest_in_flight());
    }
  }
  if (!pinned_.empty()) floor = std::min(floor, pinned_.begin()->first);
  return floor;
}

void StreamJobs::Publish(Stream& stream, const PublishedEpoch& published) {
  stream.checkpoint->OnPublished(published);
  if (stream.turns.has_value()) stream.turns->OnPublished(RowsRead(published.positions));
  if (stream.checkpoint->epoch() == published.epoch) {
    stream.upload_deadline_micros =
        parts_.clock.MonotonicMicros() + parts_.checkpoint_timeout_micros;
  }
  stream.kept_rows.Publish(published.epoch);
  ReleaseTables(stream, published);
  KeepChanges(stream, published);
  stream.epochs->Retain(RetentionFloor());
  if (!stream.ever_published) {
    stream.ever_published = true;
    work_.Add(stream.spec.job_id, [this, job_id = stream.spec.job_id] {
      const absl::Status updated = parts_.store.Update(job_id, [](v1::JobRecord& record) {
        if (record.state() == v1::JOB_STATE_CREATED) record.set_state(v1::JOB_STATE_RUNNING);
      });
      if (!updated.ok()) LogError("job", "cannot record the start of a job", updated);
    });
  }
  v1::CoordinatorMessage message;
  v1::EpochPublished& out = *message.mutable_epoch_published();
  out.set_job_id(stream.spec.job_id);
  out.set_attempt(stream.attempt);
  out.set_epoch(published.epoch);
  out.set_oldest_readable(std::min(stream.epochs->oldest_readable(), SubscriberFloor(stream)));
  Send(stream.workers, message);
  changed_.NotifyAll();
}

}  // namespace millrace
