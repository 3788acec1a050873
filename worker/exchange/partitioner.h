#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/batch.h"

namespace millrace {

// Spreads the rows of batches over targets by the hash of key columns.
class HashPartitioner {
 public:
  // `target_of_part[p]`: the target of part p; the hash chooses the part. Streaming jobs have a
  // part for each shard, others one for each target.
  HashPartitioner(std::vector<int> key_columns, std::vector<uint32_t> target_of_part,
                  uint32_t num_targets);

  // The batch's rows by target, targets without rows left out. Order within a target is that of the
  // batch.
  absl::StatusOr<std::vector<std::pair<uint32_t, Batch>>> Split(const Batch& batch);

 private:
  const std::vector<int> key_columns_;
  const std::vector<uint32_t> target_of_part_;
  const uint32_t num_targets_;
  // Scratch.
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> targets_;
  std::vector<int32_t> rows_;
  std::vector<int32_t> begins_;
};

}  // namespace millrace
