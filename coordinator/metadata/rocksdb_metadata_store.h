#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "coordinator/metadata/metadata_store.h"

namespace rocksdb {
class DB;
class Status;
}  // namespace rocksdb

namespace millrace {

// One RocksDB database; every transaction is one write batch with a synced log. A value is stored
// with its revision in front (8 bytes, little endian). One process at a time may have it open.
//
// A write that fails (no space, I/O) has not happened: RocksDB does not go on with a log of which a
// part may be missing, so the next transaction opens the database anew, and undoes what has got
// into the log after all. Until that succeeds transactions fail and reads show the state before.
class RocksDbMetadataStore final : public MetadataStore {
 public:
  // Opens the database in `folder`, and creates it if there is none. 55006 if another process has
  // it open; 0A000 if a newer version has written it.
  static absl::StatusOr<std::unique_ptr<RocksDbMetadataStore>> Open(const std::string& folder);
  ~RocksDbMetadataStore() override;

  absl::StatusOr<std::optional<MetadataValue>> Get(absl::string_view key) const override;
  absl::StatusOr<std::vector<MetadataEntry>> List(absl::string_view prefix) const override;
  absl::StatusOr<uint64_t> Transact(const std::vector<MetadataCondition>& conditions,
                                    const std::vector<MetadataWrite>& writes) override;

 private:
  // The values (with revisions) that the keys of a failed transaction had before it.
  struct Undo {
    uint64_t revision = 0;
    std::vector<std::pair<std::string, std::optional<std::string>>> values;
  };

  explicit RocksDbMetadataStore(std::string folder);
  absl::Status OpenDatabase() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadHeader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Reopen() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ApplyUndo(const Undo& undo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Undo UndoOf(uint64_t revision, const std::vector<MetadataWrite>& writes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // As stored. Null = there is no such key.
  absl::StatusOr<std::optional<std::string>> GetBytes(absl::string_view key) const;

  const std::string folder_;
  Mutex mutex_;
  uint64_t revision_ ABSL_GUARDED_BY(mutex_) = 0;
  // Set after a failed write until the database was opened anew.
  std::optional<Undo> undo_ ABSL_GUARDED_BY(mutex_);
  // Readers hold it, and whoever replaces db_, which also takes mutex_ (first).
  mutable Mutex db_mutex_;
  // Changed under both mutexes, used under one of them. Null if it could not be opened again.
  std::unique_ptr<rocksdb::DB> db_;
};

// RocksDB's errors as ours: I/O 58030, no space 53100, corruption XX001, lock held 55006.
absl::Status FromRocksDb(const rocksdb::Status& status);

// The last revision, from the store's header: its format and that, 8 bytes each. 0A000 if a newer
// version has written it, XX001 if it is damaged.
absl::StatusOr<uint64_t> RevisionInStoreHeader(absl::string_view header);

}  // namespace millrace
