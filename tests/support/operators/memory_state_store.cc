#include "tests/support/operators/memory_state_store.h"

#include <cstring>

#include "common/base/check.h"

namespace millrace {

absl::Status MemoryStateStore::Write(uint32_t node_id, StateEntries entries) {
  last_write_ = static_cast<size_t>(entries.size());
  for (int64_t i = 0; i < entries.size(); ++i) {
    const StateEntries::Entry entry = entries[i];
    MR_CHECK(entry.shard < num_shards_);
    const auto key = std::make_tuple(node_id, entry.shard, std::string(entry.key));
    if (entry.kind == StateEntries::Kind::kAdd) {
      int64_t sum = entry.count;
      if (const auto found = entries_.find(key); found != entries_.end()) {
        int64_t before = 0;
        std::memcpy(&before, found->second.data(), sizeof(before));
        sum += before;
      }
      entries_[key] = std::string(reinterpret_cast<const char*>(&sum), sizeof(sum));
    } else if (entry.kind == StateEntries::Kind::kPut) {
      entries_[key] = std::string(entry.value);
    } else {
      entries_.erase(key);
    }
  }
  return absl::OkStatus();
}

class MemoryStateStore::Cursor final : public StateCursor {
 public:
  Cursor(const Entries& entries, uint32_t node_id, absl::string_view prefix)
      : entries_(entries), at_(entries_.begin()) {
    std::erase_if(entries_, [&](const auto& entry) {
      const auto& [node, shard, key] = entry.first;
      return node != node_id || !key.starts_with(std::string_view(prefix.data(), prefix.size()));
    });
    at_ = entries_.begin();
  }

  absl::StatusOr<bool> Next(int64_t entries_max, Visitor visit) override {
    for (; at_ != entries_.end(); ++at_) {
      if (entries_max-- == 0) return true;
      absl::Status status = visit(std::get<1>(at_->first), std::get<2>(at_->first), at_->second);
      if (!status.ok()) return status;
    }
    return false;
  }

 private:
  Entries entries_;
  Entries::const_iterator at_;
};

std::unique_ptr<StateCursor> MemoryStateStore::Read(uint32_t node_id, absl::string_view prefix) {
  return std::make_unique<Cursor>(entries_, node_id, prefix);
}

absl::Status MemoryStateStore::Get(uint32_t node_id, absl::Span<const StateKey> keys,
                                   std::vector<std::optional<std::string>>* values) {
  values->assign(keys.size(), std::nullopt);
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = entries_.find({node_id, keys[i].shard, std::string(keys[i].key)});
    if (found != entries_.end()) (*values)[i] = found->second;
  }
  return absl::OkStatus();
}

absl::Status MemoryStateStore::ReadPrefixes(uint32_t node_id, absl::Span<const StateKey> prefixes,
                                            StateCursor::Visitor visit) {
  for (const StateKey& prefix : prefixes) {
    auto it = entries_.lower_bound({node_id, prefix.shard, std::string(prefix.key)});
    for (; it != entries_.end(); ++it) {
      const auto& [node, shard, key] = it->first;
      if (node != node_id || shard != prefix.shard || !key.starts_with(prefix.key)) break;
      absl::Status status = visit(shard, key, it->second);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace
