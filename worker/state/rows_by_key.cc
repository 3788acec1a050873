#include "worker/state/rows_by_key.h"

#include <algorithm>

#include "arrow/array.h"
#include "common/base/check.h"
#include "worker/kernels/array_output.h"

namespace millrace {
namespace {

// Fewer rows than this are not worth moving the others.
constexpr int64_t kCompactRowsMin = 1 << 16;

std::vector<SqlType> TypesOf(const std::vector<SqlType>& types, const std::vector<int>& columns) {
  std::vector<SqlType> chosen;
  for (const int column : columns) chosen.push_back(types[column]);
  return chosen;
}

}  // namespace

RowsByKey::RowsByKey(std::vector<SqlType> types, std::vector<int> key_columns)
    : key_columns_(std::move(key_columns)),
      keys_(TypesOf(types, key_columns_)),
      rows_(std::move(types)) {
  MR_CHECK(!key_columns_.empty());
}

void RowsByKey::Apply(absl::Span<const Batch> changes) {
  const uint32_t first_of_epoch = rows_.num_rows();
  for (const Batch& batch : changes) ApplyBatch(batch, first_of_epoch);
  Compact();
}

void RowsByKey::ApplyBatch(const Batch& batch, uint32_t first_of_epoch) {
  groups_.ResizeUninitialized(batch.num_rows());
  keys_.FindOrInsert(batch, key_columns_, groups_.data());
  last_.Resize(keys_.size(), Last::kNone);
  last_rows_.Resize(keys_.size(), 0);
  const uint32_t begin = rows_.num_rows();
  rows_.Append(batch.WithWeights(nullptr));
  const int64_t* weights = batch.raw_weights();
  for (int64_t i = 0; i < batch.num_rows(); ++i) {
    const uint32_t key = groups_[i];
    const bool is_added = weights == nullptr || weights[i] > 0;
    // Within an epoch a row that is added replaces the one taken back, whichever comes first.
    if (!is_added && last_[key] == Last::kAdded && last_rows_[key] >= first_of_epoch) continue;
    last_[key] = is_added ? Last::kAdded : Last::kRemoved;
    last_rows_[key] = begin + static_cast<uint32_t>(i);
  }
}

void RowsByKey::Compact() {
  const int64_t num_rows = rows_.num_rows();
  if (num_rows < kCompactRowsMin || num_rows < int64_t{2} * keys_.size()) return;
  FlatVector<uint32_t> new_rows;
  new_rows.Resize(num_rows, kNoRow);
  for (const uint32_t row : last_rows_) new_rows[row] = 0;
  std::vector<uint32_t> survivors;
  survivors.reserve(keys_.size());
  for (uint32_t row = 0; row < num_rows; ++row) {
    if (new_rows[row] == kNoRow) continue;
    new_rows[row] = static_cast<uint32_t>(survivors.size());
    survivors.push_back(row);
  }
  rows_.Retain(survivors);
  for (uint32_t& row : last_rows_) row = new_rows[row];
}

std::vector<Batch> RowsByKey::Changes() const {
  std::vector<Batch> batches;
  for (int64_t begin = 0; begin < keys_.size(); begin += kTargetBatchRows) {
    const int64_t size = std::min(kTargetBatchRows, keys_.size() - begin);
    FlatVector<int64_t> weights(size);
    for (int64_t i = 0; i < size; ++i) weights[i] = last_[begin + i] == Last::kAdded ? 1 : -1;
    const absl::Span<const uint32_t> rows(last_rows_.data() + begin, static_cast<size_t>(size));
    batches.push_back(rows_.GatherRows(rows).WithWeights(MakeInt64Array(std::move(weights))));
  }
  return batches;
}

std::vector<Batch> RowsByKey::Rows() const {
  std::vector<uint32_t> rows;
  rows.reserve(keys_.size());
  for (int64_t key = 0; key < keys_.size(); ++key) {
    if (last_[key] == Last::kAdded) rows.push_back(last_rows_[key]);
  }
  std::vector<Batch> batches;
  const absl::Span<const uint32_t> all(rows);
  for (size_t begin = 0; begin < rows.size(); begin += kTargetBatchRows) {
    batches.push_back(rows_.GatherRows(all.subspan(begin, kTargetBatchRows)));
  }
  return batches;
}

int64_t RowsByKey::bytes() const {
  return keys_.bytes() + rows_.bytes() + last_.bytes() + last_rows_.bytes();
}

}  // namespace millrace
