#include "worker/exchange/partitioner.h"

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/expr/evaluator.h"
#include "worker/kernels/hash.h"

namespace millrace {

HashPartitioner::HashPartitioner(std::vector<int> key_columns, std::vector<uint32_t> target_of_part,
                                 uint32_t num_targets)
    : key_columns_(std::move(key_columns)),
      target_of_part_(std::move(target_of_part)),
      num_targets_(num_targets) {
  MR_CHECK(!target_of_part_.empty());
  for (const uint32_t target : target_of_part_) MR_CHECK(target < num_targets_);
}

absl::StatusOr<std::vector<std::pair<uint32_t, Batch>>> HashPartitioner::Split(const Batch& batch) {
  std::vector<std::pair<uint32_t, Batch>> split;
  if (num_targets_ == 1) {
    split.emplace_back(0, batch);
    return split;
  }
  HashRows(batch, key_columns_, &hashes_);
  const auto num_rows = static_cast<size_t>(batch.num_rows());
  const auto num_parts = static_cast<uint32_t>(target_of_part_.size());
  // A counting sort of the row numbers by target.
  targets_.resize(num_rows);
  begins_.assign(num_targets_ + 1, 0);
  for (size_t i = 0; i < num_rows; ++i) {
    const uint32_t target = target_of_part_[PartitionOf(hashes_[i], num_parts)];
    targets_[i] = target;
    ++begins_[target + 1];
  }
  for (uint32_t t = 0; t < num_targets_; ++t) begins_[t + 1] += begins_[t];
  rows_.resize(num_rows);
  for (size_t i = 0; i < num_rows; ++i) {
    rows_[static_cast<size_t>(begins_[targets_[i]]++)] = static_cast<int32_t>(i);
  }
  // begins_[t] is now the end of target t.
  int32_t begin = 0;
  for (uint32_t t = 0; t < num_targets_; ++t) {
    const int32_t end = begins_[t];
    const int32_t count = end - begin;
    if (count == batch.num_rows()) {
      split.emplace_back(t, batch);
    } else if (count > 0) {
      MR_ASSIGN_OR_RETURN(Batch part, TakeRows(batch, rows_.data() + begin, count));
      split.emplace_back(t, std::move(part));
    }
    begin = end;
  }
  return split;
}

}  // namespace millrace
