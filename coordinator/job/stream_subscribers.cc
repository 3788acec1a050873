#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "coordinator/job/stream_entry.h"
#include "coordinator/job/stream_jobs.h"

// Readers of the changes of views.
//
// The workers keep the changes of a view apart by epoch as long as a reader needs them: the oldest
// epoch that they may fold is that of the slowest reader. A checkpoint waits for a moment until the
// readers have fetched its epoch, because after a restart from it the changes before it are gone.

namespace millrace {
namespace {

// A reader for whom more rows than this would have to be kept is given up.
constexpr uint64_t kKeptRowsMax = uint64_t{16} << 20;
// How long a checkpoint waits for readers.
constexpr int64_t kFetchMicros = 2'000'000;

}  // namespace

absl::StatusOr<uint64_t> StreamJobs::AddSubscriber(uint64_t object_id) {
  MutexLock lock(mutex_);
  for (auto& [id, stream] : streams_) {
    if (!KeepsView(*stream->spec.plan, object_id)) continue;
    Subscriber subscriber;
    subscriber.job_id = id;
    subscriber.object_id = object_id;
    subscriber.name = stream->spec.name;
    subscriber.floor = stream->restored_epoch;
    if (stream->epochs != nullptr) {
      subscriber.floor = std::max(subscriber.floor, stream->epochs->newest_published());
    }
    subscribers_[++last_subscriber_] = std::move(subscriber);
    return last_subscriber_;
  }
  return NobodyKeeps(parts_.store, object_id);
}

void StreamJobs::RemoveSubscriber(uint64_t subscriber) {
  MutexLock lock(mutex_);
  const auto found = subscribers_.find(subscriber);
  if (found == subscribers_.end()) return;
  const uint64_t job_id = found->second.job_id;
  subscribers_.erase(found);
  Stream* stream = Find(job_id);
  if (stream != nullptr && stream->phase == StreamPhase::kRunning) StoreIfReady(*stream);
}

void StreamJobs::AdvanceSubscriber(uint64_t subscriber, uint64_t epoch) {
  MutexLock lock(mutex_);
  const auto found = subscribers_.find(subscriber);
  if (found == subscribers_.end()) return;
  found->second.floor = epoch;
  Stream* stream = Find(found->second.job_id);
  if (stream != nullptr && stream->phase == StreamPhase::kRunning) StoreIfReady(*stream);
}

void StreamJobs::WantChangesDurable(uint64_t subscriber) {
  MutexLock lock(mutex_);
  const auto found = subscribers_.find(subscriber);
  if (found == subscribers_.end()) return;
  Stream* stream = Find(found->second.job_id);
  if (stream != nullptr) stream->checkpoint_wanted = stream->phase != StreamPhase::kServing;
}

ChangesView StreamJobs::ChangesOf(const Stream& stream, const Subscriber& subscriber) {
  ChangesView view;
  view.attempt = stream.attempt;
  view.restored_epoch = stream.restored_epoch;
  view.durable_epoch = stream.durable_epoch;
  for (const KeptChanges& kept : stream.kept_changes) {
    if (kept.checkpoint && kept.epoch > subscriber.floor && view.next_checkpoint == 0) {
      view.next_checkpoint = kept.epoch;
    }
  }
  if (stream.epochs != nullptr) view.published_epoch = stream.epochs->newest_published();
  view.readable =
      (stream.phase == StreamPhase::kRunning || stream.phase == StreamPhase::kServing) &&
      !stream.worker_lost;
  // What a job at its end serves is what its last checkpoint holds.
  view.ended = stream.phase == StreamPhase::kServing;
  if (view.ended) view.durable_epoch = std::max(view.durable_epoch, view.published_epoch);
  view.behind = subscriber.behind;
  return view;
}

absl::StatusOr<ChangesView> StreamJobs::AwaitChanges(
    uint64_t subscriber, const std::function<bool(const ChangesView&)>& ready,
    Cancellation& token) {
  ChangesView view;
  MR_RETURN_IF_ERROR(Wait(token, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
    const Subscriber& reader = subscribers_.at(subscriber);
    const Stream* stream = Find(reader.job_id);
    if (stream == nullptr) {
      return MakeError(SqlState::kObjectNotInPrerequisiteState,
                       absl::StrCat("materialized view ", reader.name, " was dropped"));
    }
    if (stream->phase == StreamPhase::kCancelled || stream->phase == StreamPhase::kFailed) {
      return MakeError(SqlState::kObjectNotInPrerequisiteState,
                       absl::StrCat("the job of materialized view ", reader.name,
                                    " has ended: ", stream->error.message()));
    }
    view = ChangesOf(*stream, reader);
    return ready(view);
  }));
  return view;
}

std::vector<ViewPartAtEpoch> StreamJobs::ChangesBetween(uint64_t subscriber, uint64_t after,
                                                        uint64_t through) const {
  MutexLock lock(mutex_);
  std::vector<ViewPartAtEpoch> parts;
  const Subscriber& reader = subscribers_.at(subscriber);
  const Stream* stream = Find(reader.job_id);
  if (stream == nullptr) return parts;
  ViewPartAtEpoch base;
  base.object_id = reader.object_id;
  base.job_id = reader.job_id;
  base.attempt = stream->attempt;
  base.epoch = through;
  base.changes_after = after;
  AddParts(*stream->spec.plan, stream->placements, base, parts);
  return parts;
}

uint64_t StreamJobs::SubscriberFloor(const Stream& stream) const {
  uint64_t floor = UINT64_MAX;
  for (const auto& [id, subscriber] : subscribers_) {
    if (subscriber.job_id != stream.spec.job_id || subscriber.behind) continue;
    floor = std::min(floor, subscriber.floor);
  }
  return floor;
}

void StreamJobs::KeepChanges(Stream& stream, const PublishedEpoch& published) {
  const bool checkpoint = published.kind != EpochKind::kPlain;
  if (checkpoint) {
    stream.fetch_deadline_micros = parts_.clock.MonotonicMicros() + kFetchMicros;
  }
  stream.kept_changes.push_back({published.epoch, published.view_rows_changed, checkpoint});
  for (auto& [id, subscriber] : subscribers_) {
    if (subscriber.job_id != stream.spec.job_id) continue;
    uint64_t rows = 0;
    for (const KeptChanges& kept : stream.kept_changes) {
      if (kept.epoch > subscriber.floor) rows += kept.rows;
    }
    subscriber.behind = subscriber.behind || rows > kKeptRowsMax;
  }
  const uint64_t floor = SubscriberFloor(stream);
  while (!stream.kept_changes.empty() && stream.kept_changes.front().epoch <= floor) {
    stream.kept_changes.pop_front();
  }
}

bool StreamJobs::AwaitsSubscribers(const Stream& stream) const {
  const std::optional<uint64_t> epoch = stream.checkpoint->epoch();
  return epoch.has_value() && SubscriberFloor(stream) < *epoch &&
         parts_.clock.MonotonicMicros() < stream.fetch_deadline_micros;
}

}  // namespace millrace
