#include "coordinator/metadata/memory_metadata_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "common/base/status.h"

namespace millrace {

absl::StatusOr<std::optional<MetadataValue>> MemoryMetadataStore::Get(absl::string_view key) const {
  MutexLock lock(mutex_);
  auto it = entries_.find(std::string(key));
  if (it == entries_.end()) return std::optional<MetadataValue>();
  return std::optional<MetadataValue>(it->second);
}

absl::StatusOr<std::vector<MetadataEntry>> MemoryMetadataStore::List(
    absl::string_view prefix) const {
  MutexLock lock(mutex_);
  std::vector<MetadataEntry> entries;
  for (auto it = entries_.lower_bound(std::string(prefix));
       it != entries_.end() && absl::StartsWith(it->first, prefix); ++it) {
    entries.push_back({it->first, it->second.value, it->second.revision});
  }
  return entries;
}

absl::StatusOr<uint64_t> MemoryMetadataStore::Transact(
    const std::vector<MetadataCondition>& conditions, const std::vector<MetadataWrite>& writes) {
  MutexLock lock(mutex_);
  MR_RETURN_IF_ERROR(failure_);
  for (const MetadataCondition& condition : conditions) {
    auto it = entries_.find(condition.key);
    const uint64_t revision = it == entries_.end() ? 0 : it->second.revision;
    if (revision != condition.revision) return RevisionConflict(condition.key);
  }
  ++revision_;
  for (const MetadataWrite& write : writes) {
    if (write.value.has_value()) {
      entries_[write.key] = MetadataValue{*write.value, revision_};
    } else {
      entries_.erase(write.key);
    }
  }
  return revision_;
}

void MemoryMetadataStore::FailTransactions(absl::Status status) {
  MutexLock lock(mutex_);
  failure_ = std::move(status);
}

}  // namespace millrace
