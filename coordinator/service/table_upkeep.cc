#include "coordinator/service/table_upkeep.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/storage/file_system.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/service/bounded_runner.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/table_segments.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// How often tables are looked at again whose readers have made no checkpoint yet.
constexpr std::chrono::seconds kReadersPause(1);

Schema StoredColumns(const v1::CatalogObject& object) {
  Schema columns;
  for (const v1::Field& field : object.columns()) columns.push_back(FromProto(field));
  return columns;
}

}  // namespace

struct TableUpkeep::Signal {
  Mutex mutex;
  CondVar changed;
  bool woken ABSL_GUARDED_BY(mutex) = false;
  bool stop ABSL_GUARDED_BY(mutex) = false;
  // Statements that end are of interest only while files wait for them.
  std::atomic<bool> files_wait{false};

  void Wake() {
    MutexLock lock(mutex);
    woken = true;
    changed.NotifyAll();
  }
};

TableUpkeep::TableUpkeep(ClusterParts& parts)
    : parts_(parts), signal_(std::make_shared<Signal>()), thread_([this] { Run(); }) {
  parts_.catalog.SetReleaseHook([signal = signal_] {
    if (signal->files_wait.load()) signal->Wake();
  });
}

TableUpkeep::~TableUpkeep() {
  {
    MutexLock lock(signal_->mutex);
    signal_->stop = true;
    signal_->changed.NotifyAll();
  }
  cancellation_.Cancel(MakeError(SqlState::kCannotConnectNow, "the server is shutting down"));
  thread_.join();
}

void TableUpkeep::OnCommit(uint64_t object_id) {
  const CatalogObjectPtr table = parts_.catalog.Snapshot()->FindById(object_id);
  if (table == nullptr || table->table_version().segments_size() < kCompactedSegmentsMin) return;
  {
    MutexLock lock(mutex_);
    changed_.insert(object_id);
  }
  signal_->Wake();
}

void TableUpkeep::OnDropped(uint64_t object_id) {
  Discard({parts_.catalog.Snapshot()->revision(), object_id, {}});
}

void TableUpkeep::Discard(Discarded discarded) {
  {
    MutexLock lock(mutex_);
    discarded_.push_back(std::move(discarded));
    signal_->files_wait = true;
  }
  signal_->Wake();
}

void TableUpkeep::Run() {
  while (true) {
    {
      MutexLock lock(signal_->mutex);
      if (!signal_->woken && !signal_->stop) {
        if (waiting_.empty()) {
          signal_->changed.Wait(signal_->mutex);
        } else {
          signal_->changed.WaitFor(signal_->mutex, kReadersPause);
        }
      }
      if (signal_->stop) return;
      signal_->woken = false;
    }
    RemoveDiscarded();
    std::set<uint64_t> tables = std::exchange(waiting_, {});
    {
      MutexLock lock(mutex_);
      tables.merge(changed_);
      changed_.clear();
    }
    for (const uint64_t table : tables) {
      const absl::StatusOr<bool> compacted = Compact(table);
      if (cancellation_.cancelled()) return;
      // What has failed is tried again at the table's next commit.
      if (!compacted.ok()) LogError("catalog", "cannot compact a table", compacted.status());
      if (compacted.ok() && !*compacted) waiting_.insert(table);
    }
  }
}

void TableUpkeep::RemoveDiscarded() {
  std::vector<Discarded> unused;
  {
    MutexLock lock(mutex_);
    if (discarded_.empty()) return;
    const uint64_t oldest = parts_.catalog.OldestRevisionInUse();
    const auto in_use = std::partition(
        discarded_.begin(), discarded_.end(),
        [oldest](const Discarded& discarded) { return discarded.revision > oldest; });
    unused.assign(std::make_move_iterator(in_use), std::make_move_iterator(discarded_.end()));
    discarded_.erase(in_use, discarded_.end());
    signal_->files_wait = !discarded_.empty();
  }
  for (const Discarded& discarded : unused) {
    absl::Status removed;
    if (discarded.paths.empty()) removed = RemoveTableFolder(parts_.data_dir, discarded.object_id);
    for (const std::string& path : discarded.paths) {
      const auto file_system = FileSystemOf(parts_.data_dir);
      if (!file_system.ok()) continue;
      removed.Update((*file_system)->Remove(JoinPath(parts_.data_dir, path)));
    }
    // They go at the next start.
    if (!removed.ok()) LogError("catalog", "cannot remove files of a table", removed);
  }
}

absl::StatusOr<bool> TableUpkeep::Compact(uint64_t object_id) {
  while (true) {
    MR_RETURN_IF_ERROR(cancellation_.status());
    // Before the version, so that what is read everywhere is in it.
    const uint64_t read_everywhere = parts_.streams.TableReadEverywhere(object_id);
    const CatalogObjectPtr table = parts_.catalog.Snapshot()->FindById(object_id);
    if (table == nullptr || table->state() != v1::OBJECT_STATE_READY) return true;
    const auto range = ChooseCompaction(table->table_version(), read_everywhere);
    if (!range.has_value()) {
      return !ChooseCompaction(table->table_version(), UINT64_MAX).has_value();
    }
    MR_RETURN_IF_ERROR(CompactRange(*table, *range));
  }
}

// A statement like any other, over a catalog in which the table has these segments only.
absl::Status TableUpkeep::CompactRange(const v1::CatalogObject& table, SegmentRange range) {
  auto part = std::make_shared<v1::CatalogObject>(table);
  part->mutable_table_version()->clear_segments();
  std::vector<std::string> replaced;
  for (int i = range.first; i < range.first + range.count; ++i) {
    const v1::TableSegment& segment = table.table_version().segments(i);
    *part->mutable_table_version()->add_segments() = segment;
    replaced.push_back(segment.path());
  }
  StatementMoment moment;
  moment.catalog = std::make_shared<const CatalogSnapshot>(std::vector<CatalogObjectPtr>{part}, 0);
  moment.wall_micros = parts_.clock.WallMicros();
  NullResultSink nowhere;
  StatementContext context{
      {{"parallelism", "1"}}, parts_.data_dir, cancellation_, nowhere, 0, 0, {}};
  MR_ASSIGN_OR_RETURN(TableSinkTarget target,
                      MakeTableTarget(parts_, table.id(), StoredColumns(table)));
  MR_ASSIGN_OR_RETURN(PlanPtr plan, PlanStatement({NewScan(part, std::nullopt, 0),
                                                   PlanMode::kBounded, std::move(target)},
                                                  parts_, context, moment));
  BoundedRunner runner(parts_, context);
  MR_ASSIGN_OR_RETURN(const BoundedResult result,
                      runner.RunSink({std::move(plan), moment.catalog}));
  MR_ASSIGN_OR_RETURN(std::vector<v1::TableSegment> segments, StagedSegments(parts_, result));
  absl::StatusOr<uint64_t> revision = InternalError("a compaction must leave one segment");
  if (segments.size() == 1) {
    const auto& versions = part->table_version();
    segments[0].set_begin_position(versions.segments(0).begin_position());
    segments[0].set_end_position(EndPosition(versions));
    // Jobs may have come, or gone back, while the segments were read.
    revision = parts_.streams.JoinSegments(table.id(), segments[0].end_position(), [&] {
      return parts_.catalog.ReplaceSegments(table.id(), segments[0]);
    });
  }
  if (!revision.ok()) {
    // Of a table that was dropped meanwhile nobody wants to hear.
    RemoveFiles(result.staged_files);
    const bool lost = GetErrorDetail(revision.status()).state == SqlState::kSerializationFailure;
    return lost ? absl::OkStatus() : revision.status();
  }
  Discard({*revision, table.id(), std::move(replaced)});
  return absl::OkStatus();
}

}  // namespace millrace
