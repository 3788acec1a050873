#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace millrace {

// One entry of an operator's state, as it is written at a checkpoint barrier.
struct StateEntry {
  // Shard of the entry's key (0 for state that does not belong to keys, such as a watermark).
  uint32_t shard = 0;
  std::string key;
  // Absent = the key is deleted.
  std::optional<std::string> value;
  // Set: instead of putting a value, adds to a counter, which begins at 0; `value` is then unused.
  // Restore visits it with a value that StateCounter() decodes, also when it is 0.
  std::optional<int64_t> add = std::nullopt;
};

// The value of a counter as Restore passes it.
int64_t StateCounter(absl::string_view value);

// The durable state of one task: RocksDB underneath, one column family for each shard, keys
// prefixed with the operator's node id. Operators keep their working state in memory and come here
// at checkpoint barriers (changed keys only) and when the task opens after a restore. Called from
// the task's thread.
class TaskStateStore {
 public:
  virtual ~TaskStateStore() = default;

  // Writes what has changed since the last checkpoint; entries need not be sorted. Part of the
  // barrier's checkpoint.
  virtual absl::Status Write(uint32_t node_id, std::vector<StateEntry> entries) = 0;

  // Calls `visit` for every entry of the operator in the task's shards, by shard and key. Views are
  // valid during the call only. Visits nothing if the job starts afresh.
  using Visitor = absl::FunctionRef<absl::Status(uint32_t shard, absl::string_view key,
                                                 absl::string_view value)>;
  virtual absl::Status Restore(uint32_t node_id, Visitor visit) = 0;

  // Shards of the whole job; keys map to them by ShardOf (worker/kernels/hash.h).
  virtual uint32_t num_shards() const = 0;
};

}  // namespace millrace
