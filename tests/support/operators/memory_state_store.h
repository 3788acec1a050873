#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "worker/state/task_state_store.h"

namespace millrace {

// A TaskStateStore in memory, for operators' tests.
class MemoryStateStore final : public TaskStateStore {
 public:
  explicit MemoryStateStore(uint32_t num_shards = 8) : num_shards_(num_shards) {}

  absl::Status Write(uint32_t node_id, StateEntries entries) override;
  using TaskStateStore::Read;
  std::unique_ptr<StateCursor> Read(uint32_t node_id, absl::string_view prefix) override;
  absl::Status Get(uint32_t node_id, absl::Span<const StateKey> keys,
                   std::vector<std::optional<std::string>>* values) override;
  absl::Status ReadPrefixes(uint32_t node_id, absl::Span<const StateKey> prefixes,
                            StateCursor::Visitor visit) override;
  uint32_t num_shards() const override { return num_shards_; }

  size_t num_entries() const { return entries_.size(); }
  // Entries of the last Write.
  size_t last_write() const { return last_write_; }

 private:
  // By node, shard and key.
  using Entries = std::map<std::tuple<uint32_t, uint32_t, std::string>, std::string>;
  class Cursor;

  const uint32_t num_shards_;
  Entries entries_;
  size_t last_write_ = 0;
};

}  // namespace millrace
