#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "worker/state/task_state_store.h"

namespace millrace {

// A TaskStateStore in memory, for operators' tests.
class MemoryStateStore final : public TaskStateStore {
 public:
  explicit MemoryStateStore(uint32_t num_shards = 8) : num_shards_(num_shards) {}

  absl::Status Write(uint32_t node_id, std::vector<StateEntry> entries) override;
  absl::Status Restore(uint32_t node_id, Visitor visit) override;
  uint32_t num_shards() const override { return num_shards_; }

  size_t num_entries() const { return entries_.size(); }
  // Entries of the last Write.
  size_t last_write() const { return last_write_; }

 private:
  const uint32_t num_shards_;
  std::map<std::tuple<uint32_t, uint32_t, std::string>, std::string> entries_;
  size_t last_write_ = 0;
};

}  // namespace millrace
