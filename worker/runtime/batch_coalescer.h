#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/batch.h"

namespace millrace {

// All rows of the batches, in order, as one batch; at least one batch. Text that is
// dictionary-encoded in some batches only becomes plain. With weights if any batch has them.
absl::StatusOr<Batch> ConcatenateBatches(const std::vector<Batch>& batches);

// The same rows with dictionary-encoded columns as plain text.
absl::StatusOr<Batch> DecodeDictionaries(const Batch& batch);

// Makes bigger batches out of small ones: holds rows back until there are `rows_target` of them or
// `bytes_target` bytes. Batches that are big enough pass unchanged. Order is kept.
class BatchCoalescer {
 public:
  explicit BatchCoalescer(int64_t rows_target = kTargetBatchRows / 2,
                          int64_t bytes_target = int64_t{1} << 20)
      : rows_target_(rows_target), bytes_target_(bytes_target) {}

  // A batch to pass on, if there is one now.
  absl::StatusOr<std::optional<Batch>> Add(Batch batch);
  // What is held back, if anything.
  absl::StatusOr<std::optional<Batch>> Flush();
  bool empty() const { return pending_.empty(); }

 private:
  const int64_t rows_target_;
  const int64_t bytes_target_;
  std::vector<Batch> pending_;
  int64_t pending_rows_ = 0;
  int64_t pending_bytes_ = 0;
};

}  // namespace millrace
