#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/state/state_entries.h"

namespace millrace {

// Which entry to look for.
struct StateKey {
  uint32_t shard = 0;
  std::string_view key;
};

// The value of a counter as Restore passes it.
int64_t StateCounter(absl::string_view value);

// Goes through an operator's entries by shard and key, as they were when it was made, whatever is
// written meanwhile. For one thread at a time; must not outlive the store's job.
class StateCursor {
 public:
  virtual ~StateCursor() = default;

  // Views are valid during the call only.
  using Visitor = absl::FunctionRef<absl::Status(uint32_t shard, absl::string_view key,
                                                 absl::string_view value)>;
  // Visits up to `entries_max` more entries. False: that was the last one.
  virtual absl::StatusOr<bool> Next(int64_t entries_max, Visitor visit) = 0;
};

// The durable state of one task: RocksDB underneath, one column family for each shard, keys
// prefixed with the operator's node id. Operators keep their working state in memory and come here
// at checkpoint barriers (changed keys only) and after a restore. Called from the task's thread.
class TaskStateStore {
 public:
  virtual ~TaskStateStore() = default;

  // Writes what has changed since the last checkpoint; entries need not be sorted. Part of the
  // barrier's checkpoint.
  virtual absl::Status Write(uint32_t node_id, StateEntries entries) = 0;

  // The operator's entries in the task's shards whose keys begin with `prefix` (empty: all); none
  // if the job starts afresh.
  virtual std::unique_ptr<StateCursor> Read(uint32_t node_id, absl::string_view prefix) = 0;
  std::unique_ptr<StateCursor> Read(uint32_t node_id) { return Read(node_id, ""); }
  // values[i] becomes the value of keys[i], absent if there is none.
  virtual absl::Status Get(uint32_t node_id, absl::Span<const StateKey> keys,
                           std::vector<std::optional<std::string>>* values) = 0;
  // Visits the entries whose keys begin with one of `prefixes`, each of them once.
  virtual absl::Status ReadPrefixes(uint32_t node_id, absl::Span<const StateKey> prefixes,
                                    StateCursor::Visitor visit) = 0;
  // Visits what Read gives, to its end.
  using Visitor = StateCursor::Visitor;
  absl::Status Restore(uint32_t node_id, absl::string_view prefix, Visitor visit);

  // Shards of the whole job; keys map to them by ShardOf (worker/kernels/hash.h).
  virtual uint32_t num_shards() const = 0;
};

}  // namespace millrace
