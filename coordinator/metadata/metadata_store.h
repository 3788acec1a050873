#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

// A stored value and the revision of the transaction that wrote it.
struct MetadataValue {
  std::string value;
  uint64_t revision = 0;
};

struct MetadataEntry {
  std::string key;
  std::string value;
  uint64_t revision = 0;
};

// The key must be at exactly this revision when the transaction commits; 0 = there must be no such
// key.
struct MetadataCondition {
  std::string key;
  uint64_t revision = 0;
};

// Absent value = the key is removed.
struct MetadataWrite {
  std::string key;
  std::optional<std::string> value;
};

// The coordinator's durable key-value store. Keys are paths of words ("catalog/7"), values are
// small records; large things (plans, manifests) are files that a record points to. Every change is
// one transaction that is checked and applied atomically, and durable when the call returns.
// Thread-safe; transactions are serial.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // nullopt if there is no such key.
  virtual absl::StatusOr<std::optional<MetadataValue>> Get(absl::string_view key) const = 0;
  // Every entry whose key begins with `prefix`, by key.
  virtual absl::StatusOr<std::vector<MetadataEntry>> List(absl::string_view prefix) const = 0;
  // Applies all writes if all conditions hold, and returns the new revision of the written keys.
  // 40001 (retry safe) if a condition does not hold: nothing was written.
  virtual absl::StatusOr<uint64_t> Transact(const std::vector<MetadataCondition>& conditions,
                                            const std::vector<MetadataWrite>& writes) = 0;

  // One key; `expected_revision` 0 = create it.
  absl::StatusOr<uint64_t> CompareAndSwap(absl::string_view key, uint64_t expected_revision,
                                          std::string value) {
    return Transact({{std::string(key), expected_revision}},
                    {{std::string(key), std::move(value)}});
  }
};

// What Transact returns when `key` is not at the expected revision.
absl::Status RevisionConflict(absl::string_view key);

// Refuses records that a newer version has written: 0A000, naming both formats.
absl::Status CheckRecordFormat(absl::string_view what, uint32_t found, uint32_t supported);

}  // namespace millrace
