#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/metadata/id_allocator.h"
#include "coordinator/metadata/metadata_store.h"

namespace millrace {

namespace v1 {
class TableSegment;
class TableVersion;
}  // namespace v1

// The durable catalog. Every change is one transaction of the metadata store, then a new snapshot.
// Objects that need work outside the catalog go through CREATING and DROPPING, so that a crash in
// between can be completed or undone. Thread-safe.
class Catalog {
 public:
  // Loads all objects. The store and the allocator must outlive the catalog.
  static absl::StatusOr<std::unique_ptr<Catalog>> Open(MetadataStore& store,
                                                       IdAllocator& object_ids);

  // Never blocks on the disk.
  std::shared_ptr<const CatalogSnapshot> Snapshot() const;
  // The oldest revision that a snapshot in use shows; files that no version since then holds are
  // read by no statement any more.
  uint64_t OldestRevisionInUse() const;
  // Called whenever a snapshot goes out of use, on any thread and maybe with locks held: it may
  // wake somebody, nothing else. Before the first statement.
  void SetReleaseHook(std::function<void()> hook);

  // Records that a transaction writes besides its own: what was done for which request.
  using Extra = std::vector<MetadataWrite>;

  // Adds `object` (its id is assigned here) in the state it carries: READY can be seen at once,
  // CREATING has its name reserved only. 42P07 if the name is taken, 42P01 if something that it
  // depends on is gone; a view may depend on one that its own job is creating. `also` is written if
  // the object is READY.
  absl::StatusOr<CatalogObjectPtr> Create(v1::CatalogObject object, const Extra& also = {});
  // CREATING → READY, after `complete` has changed the record (may be null). In one transaction.
  using Change = std::function<void(v1::CatalogObject&)>;
  absl::Status CompleteCreate(uint64_t object_id, const Change& complete, const Extra& also = {});
  // The same for several objects: all become READY, or none does.
  absl::Status CompleteCreates(const std::map<uint64_t, Change>& completes, const Extra& also = {});
  // Changes a record in place.
  absl::Status Update(uint64_t object_id, const Change& change, const Extra& also = {});
  // Adds segments to a stored table, gives them their positions in its log, and raises its version:
  // one compare-and-swap. Calls that come together share a transaction. Without segments only
  // `also` is written, if there is any.
  absl::Status AppendSegments(uint64_t object_id, const std::vector<v1::TableSegment>& segments,
                              const Extra& also = {});
  // Puts `compacted`, which holds the rows of the segments in its range of positions, in their
  // place. 40001 if they are not all there (any more). Returns the revision.
  absl::StatusOr<uint64_t> ReplaceSegments(uint64_t object_id, const v1::TableSegment& compacted);
  // All → DROPPING: their names are free for readers' purposes (nobody finds them), but still
  // reserved. 2BP01 if something else has come to depend on one of them.
  absl::Status BeginDrop(const std::vector<uint64_t>& object_ids, const Extra& also = {});
  // Removes the records of objects that are CREATING or DROPPING.
  absl::Status Remove(const std::vector<uint64_t>& object_ids);
  // What a crash has left in CREATING or DROPPING.
  std::vector<CatalogObjectPtr> Unfinished() const;

 private:
  struct Entry {
    CatalogObjectPtr object;
    uint64_t revision = 0;
  };
  struct Append;

  Catalog(MetadataStore& store, IdAllocator& object_ids);
  absl::Status Load();
  // Writes `changed` (existing ids) and `also` in one transaction and publishes the new snapshot.
  // Returns the revision.
  absl::StatusOr<uint64_t> Write(std::vector<std::shared_ptr<v1::CatalogObject>> changed,
                                 const Extra& also) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckDependencies(const v1::CatalogObject& object) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CommitAppends(const std::vector<Append*>& appends);
  void PublishSnapshot(uint64_t revision) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<v1::CatalogObject>> CopyOf(uint64_t object_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MetadataStore& store_;
  IdAllocator& object_ids_;
  const std::vector<CatalogObjectPtr> system_views_;

  // Held while a transaction is written; taken before snapshot_mutex_.
  mutable Mutex mutex_;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);

  mutable Mutex snapshot_mutex_;
  std::shared_ptr<const CatalogSnapshot> snapshot_ ABSL_GUARDED_BY(snapshot_mutex_);
  // Every snapshot that may still be in use, oldest first.
  mutable std::deque<std::pair<uint64_t, std::weak_ptr<const CatalogSnapshot>>> snapshots_
      ABSL_GUARDED_BY(snapshot_mutex_);
  // Snapshots outlive the catalog.
  const std::shared_ptr<std::function<void()>> release_hook_ =
      std::make_shared<std::function<void()>>();

  // Group commit: the first of those that wait writes for all.
  Mutex append_mutex_;
  CondVar appended_;
  std::vector<Append*> appends_ ABSL_GUARDED_BY(append_mutex_);
  bool committing_ ABSL_GUARDED_BY(append_mutex_) = false;
};

// The position behind the last row of a table's log.
uint64_t EndPosition(const v1::TableVersion& version);
// Gives segments that are added to a version their positions, one each.
void AddSegments(const std::vector<v1::TableSegment>& segments, v1::TableVersion* version);

}  // namespace millrace
