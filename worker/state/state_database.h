#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/state/task_state_store.h"

namespace rocksdb {
class DB;
class ColumnFamilyHandle;
}  // namespace rocksdb

namespace millrace {

struct StateResources;

// Which operator's entries: the fragment decides which task owns a shard, the node which operator.
struct StateOwner {
  uint32_t fragment = 0;
  uint32_t node_id = 0;
};

// The RocksDB database of one job on one worker: a column family for each shard, no write-ahead log
// (a checkpoint is what survives), keys prefixed with fragment and node. Thread-safe.
class StateDatabase {
 public:
  // Opens or creates the database in `folder` with column families for `shards` (others that exist
  // are opened too).
  static absl::StatusOr<std::unique_ptr<StateDatabase>> Open(const std::string& folder,
                                                             absl::Span<const uint32_t> shards,
                                                             const StateResources& resources);
  // Opens a checkpoint's files without changing them.
  static absl::StatusOr<std::unique_ptr<StateDatabase>> OpenReadOnly(
      const std::string& folder, const StateResources& resources);
  ~StateDatabase();
  StateDatabase(const StateDatabase&) = delete;
  StateDatabase& operator=(const StateDatabase&) = delete;

  // Writes entries of one owner in one batch; their shards must have been named at Open.
  absl::Status Write(StateOwner owner, std::vector<StateEntry> entries);
  // Visits the owner's entries of the shard by key; nothing if the shard has no column family.
  absl::Status Scan(StateOwner owner, uint32_t shard, TaskStateStore::Visitor visit) const;
  // Copies all entries of the fragment in the shard from another database.
  absl::Status CopyFrom(const StateDatabase& from, uint32_t fragment, uint32_t shard);

  // Flushes, and hard-links all files of the current state into `folder`, which must not exist.
  absl::Status Link(const std::string& folder) const;

 private:
  StateDatabase() = default;
  static absl::StatusOr<std::unique_ptr<StateDatabase>> OpenWith(const std::string& folder,
                                                                 absl::Span<const uint32_t> shards,
                                                                 const StateResources& resources,
                                                                 bool read_only);
  rocksdb::ColumnFamilyHandle* FamilyOf(uint32_t shard) const;

  std::unique_ptr<rocksdb::DB> db_;
  // By shard; null where the shard has no family.
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  rocksdb::ColumnFamilyHandle* default_family_ = nullptr;
};

}  // namespace millrace
