#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
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
}  // namespace v1

// The durable catalog. Every change is one transaction of the metadata store, then a new snapshot.
// Objects that need work outside the catalog go through CREATING and DROPPING, so that a crash in
// between can be completed or undone. Thread-safe.
class Catalog {
 public:
  // Loads all objects. The store and the allocator must outlive the catalog.
  static absl::StatusOr<std::unique_ptr<Catalog>> Open(MetadataStore& store,
                                                       IdAllocator& object_ids);

  std::shared_ptr<const CatalogSnapshot> Snapshot() const;

  // Adds `object` (its id is assigned here) in the state it carries: READY can be seen at once,
  // CREATING has its name reserved only. 42P07 if the name is taken.
  absl::StatusOr<CatalogObjectPtr> Create(v1::CatalogObject object);
  // CREATING → READY, after `complete` has changed the record (may be null). In one transaction.
  using Change = std::function<void(v1::CatalogObject&)>;
  absl::Status CompleteCreate(uint64_t object_id, const Change& complete);
  // Changes a record in place.
  absl::Status Update(uint64_t object_id, const Change& change);
  // Adds segments to a stored table and raises its version: one compare-and-swap. Nothing is
  // written for no segments.
  absl::Status AppendSegments(uint64_t object_id, const std::vector<v1::TableSegment>& segments);
  // All → DROPPING: their names are free for readers' purposes (nobody finds them), but still
  // reserved.
  absl::Status BeginDrop(const std::vector<uint64_t>& object_ids);
  // Removes the records of objects that are CREATING or DROPPING.
  absl::Status Remove(const std::vector<uint64_t>& object_ids);
  // What a crash has left in CREATING or DROPPING.
  std::vector<CatalogObjectPtr> Unfinished() const;

 private:
  struct Entry {
    CatalogObjectPtr object;
    uint64_t revision = 0;
  };

  Catalog(MetadataStore& store, IdAllocator& object_ids);
  absl::Status Load();
  // Writes `changed` (existing ids) in one transaction and publishes the new snapshot.
  absl::Status Write(std::vector<std::shared_ptr<v1::CatalogObject>> changed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PublishSnapshot(uint64_t revision) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<v1::CatalogObject>> CopyOf(uint64_t object_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MetadataStore& store_;
  IdAllocator& object_ids_;
  const std::vector<CatalogObjectPtr> system_views_;

  mutable Mutex mutex_;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const CatalogSnapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
