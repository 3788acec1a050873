#pragma once

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/mutex.h"
#include "coordinator/metadata/metadata_store.h"

namespace millrace {

// Gives out the numbers 1, 2, 3, … of one kind, each once, over all restarts. A block of numbers is
// reserved durably before its first is given out, so most calls touch no disk; a restart leaves a
// gap. Thread-safe.
class IdAllocator {
 public:
  // `name`: the kind ("job", "object", "epoch"). The store must outlive the allocator.
  IdAllocator(MetadataStore& store, std::string name, uint64_t block_size);

  absl::StatusOr<uint64_t> Next();

 private:
  absl::Status ReserveBlock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MetadataStore& store_;
  const std::string key_;
  const uint64_t block_size_;

  Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t end_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A cluster's id as it is stored: "1 0123456789abcdef", the format first.
std::string ClusterIdRecord(absl::string_view cluster_id);
// The id in such a record; one without a format, as the first versions have written it, is the id
// itself. 0A000 if a newer version has written `what`.
absl::StatusOr<std::string> ClusterIdOf(absl::string_view what, absl::string_view record);

// The cluster's id: sixteen hexadecimal digits, drawn at the first start and kept.
absl::StatusOr<std::string> LoadOrCreateClusterId(MetadataStore& store);

}  // namespace millrace
