#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/mutex.h"
#include "worker/state/task_state_store.h"

namespace rocksdb {
class DB;
class ColumnFamilyHandle;
}  // namespace rocksdb

namespace millrace {

struct StateResources;

// The shard of one fragment: what moves from worker to worker as a whole.
struct ShardId {
  uint32_t fragment = 0;
  uint32_t shard = 0;
  friend auto operator<=>(const ShardId&, const ShardId&) = default;
};

// An immutable file with entries of one shard, and its place among the shard's files.
struct ShardFile {
  ShardId shard;
  // Folder and name; together they are its path.
  std::string folder;
  std::string name;
  uint64_t size_bytes = 0;
  uint32_t level = 0;
  uint64_t smallest_sequence = 0;
  uint64_t largest_sequence = 0;
};

// The RocksDB database of one job on one worker: a column family for each shard that has entries,
// no write-ahead log (a checkpoint is what survives), keys prefixed with the operator's node.
// Thread-safe.
class StateDatabase {
 public:
  // Opens or creates the database in `folder`.
  static absl::StatusOr<std::unique_ptr<StateDatabase>> Open(const std::string& folder,
                                                             const StateResources& resources);
  ~StateDatabase();
  StateDatabase(const StateDatabase&) = delete;
  StateDatabase& operator=(const StateDatabase&) = delete;

  // Writes entries of one operator. A part of them may be written when it fails.
  absl::Status Write(uint32_t fragment, uint32_t node_id, const StateEntries& entries);
  // The operator's entries in some shards whose keys begin with `prefix`, as they are now, by shard
  // and key.
  std::unique_ptr<StateCursor> Read(uint32_t fragment, uint32_t node_id, absl::string_view prefix,
                                    uint32_t first_shard, uint32_t num_shards) const;
  // values[i] becomes the value of the i-th key, absent if there is none.
  absl::Status Get(uint32_t fragment, uint32_t node_id, absl::Span<const StateKey> keys,
                   std::vector<std::optional<std::string>>* values) const;

  // Visits the entries whose keys begin with one of `prefixes`; of prefixes that are equal, or
  // begin each other, each entry once.
  absl::Status ReadPrefixes(uint32_t fragment, uint32_t node_id,
                            absl::Span<const StateKey> prefixes, StateCursor::Visitor visit) const;

  // Makes files the entries of a shard that has none yet. The files go: they become files of the
  // database. No compaction runs from the first Import until FinishImport.
  absl::Status Import(ShardId shard, absl::Span<const ShardFile> files);
  void FinishImport();

  // The files that hold the entries of now, all of which are flushed. `visit` is called for each of
  // them; they stay in place until this returns.
  absl::Status VisitFiles(absl::FunctionRef<absl::Status(const ShardFile& file)> visit);

  // Of all files and of what is not flushed yet; cheap.
  uint64_t disk_bytes() const;

 private:
  class Cursor;
  class ShardEntries;

  explicit StateDatabase(std::unique_ptr<rocksdb::DB> db, const StateResources& resources);
  // Null if the shard has no entries.
  rocksdb::ColumnFamilyHandle* Find(ShardId shard) const;
  absl::StatusOr<rocksdb::ColumnFamilyHandle*> FindOrCreate(ShardId shard);
  std::vector<std::pair<ShardId, rocksdb::ColumnFamilyHandle*>> Families() const;
  absl::Status WriteBatches(rocksdb::ColumnFamilyHandle* family, const ShardEntries& entries);
  absl::Status WriteFile(rocksdb::ColumnFamilyHandle* family, const ShardEntries& entries);
  absl::Status Flush();
  absl::Status VisitFamily(ShardId shard, rocksdb::ColumnFamilyHandle* family,
                           absl::FunctionRef<absl::Status(const ShardFile& file)> visit) const;

  const std::unique_ptr<rocksdb::DB> db_;
  const StateResources& resources_;
  bool importing_ = false;
  // Files that Write has made so far.
  std::atomic<uint64_t> num_files_{0};
  mutable Mutex mutex_;
  // Handles live as long as the database.
  std::map<ShardId, rocksdb::ColumnFamilyHandle*> families_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
