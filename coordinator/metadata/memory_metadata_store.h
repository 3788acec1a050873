#pragma once

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "coordinator/metadata/metadata_store.h"

namespace millrace {

// Keeps everything in memory: for tests. A "restart" is a new owner over the same store.
class MemoryMetadataStore final : public MetadataStore {
 public:
  absl::StatusOr<std::optional<MetadataValue>> Get(absl::string_view key) const override;
  absl::StatusOr<std::vector<MetadataEntry>> List(absl::string_view prefix) const override;
  absl::StatusOr<uint64_t> Transact(const std::vector<MetadataCondition>& conditions,
                                    const std::vector<MetadataWrite>& writes) override;

  // The next Transact calls fail with `status`, as a full disk would make them; OK ends that.
  void FailTransactions(absl::Status status);

 private:
  mutable Mutex mutex_;
  std::map<std::string, MetadataValue, std::less<>> entries_ ABSL_GUARDED_BY(mutex_);
  uint64_t revision_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
