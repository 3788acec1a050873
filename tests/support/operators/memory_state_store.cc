#include "tests/support/operators/memory_state_store.h"

#include <cstring>

#include "common/base/check.h"

namespace millrace {

absl::Status MemoryStateStore::Write(uint32_t node_id, std::vector<StateEntry> entries) {
  last_write_ = entries.size();
  for (StateEntry& entry : entries) {
    MR_CHECK(entry.shard < num_shards_);
    const auto key = std::make_tuple(node_id, entry.shard, std::move(entry.key));
    if (entry.add.has_value()) {
      int64_t sum = *entry.add;
      if (const auto found = entries_.find(key); found != entries_.end()) {
        int64_t before = 0;
        std::memcpy(&before, found->second.data(), sizeof(before));
        sum += before;
      }
      entries_[key] = std::string(reinterpret_cast<const char*>(&sum), sizeof(sum));
    } else if (entry.value.has_value()) {
      entries_[key] = std::move(*entry.value);
    } else {
      entries_.erase(key);
    }
  }
  return absl::OkStatus();
}

absl::Status MemoryStateStore::Restore(uint32_t node_id, Visitor visit) {
  for (const auto& [key, value] : entries_) {
    if (std::get<0>(key) != node_id) continue;
    absl::Status status = visit(std::get<1>(key), std::get<2>(key), value);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace millrace
