#include "worker/state/row_multiset.h"

#include <arrow/array.h>
#include <arrow/buffer.h>

#include <algorithm>
#include <numeric>

namespace millrace {
namespace {

// Cuts a list of groups (with weights, or without if `weights` is null) into batches.
std::vector<Batch> GroupsAsBatches(const GroupTable& table, const std::vector<uint32_t>& groups,
                                   const std::vector<int64_t>* weights) {
  std::vector<Batch> batches;
  for (size_t begin = 0; begin < groups.size(); begin += kTargetBatchRows) {
    const size_t size = std::min<size_t>(kTargetBatchRows, groups.size() - begin);
    std::shared_ptr<arrow::Int64Array> weight_column;
    if (weights != nullptr) {
      std::vector<int64_t> slice(weights->begin() + static_cast<int64_t>(begin),
                                 weights->begin() + static_cast<int64_t>(begin + size));
      weight_column = std::make_shared<arrow::Int64Array>(
          static_cast<int64_t>(size), arrow::Buffer::FromVector(std::move(slice)));
    }
    batches.emplace_back(table.Keys(absl::MakeConstSpan(groups).subspan(begin, size)),
                         static_cast<int64_t>(size), std::move(weight_column));
  }
  return batches;
}

}  // namespace

RowMultiset::RowMultiset(std::vector<SqlType> types)
    : table_(std::move(types)), columns_(table_.key_types().size()) {
  std::iota(columns_.begin(), columns_.end(), 0);
}

void RowMultiset::Add(const Batch& batch) {
  const auto num_rows = static_cast<size_t>(batch.num_rows());
  if (num_rows == 0) return;
  groups_.resize(num_rows);
  table_.FindOrInsert(batch, columns_, groups_.data());
  weights_.resize(table_.size(), 0);
  const int64_t* weights = batch.raw_weights();
  if (weights == nullptr) {
    for (size_t i = 0; i < num_rows; ++i) ++weights_[groups_[i]];
  } else {
    for (size_t i = 0; i < num_rows; ++i) weights_[groups_[i]] += weights[i];
  }
}

std::vector<Batch> RowMultiset::WeightedRows() const {
  std::vector<uint32_t> groups;
  std::vector<int64_t> weights;
  for (uint32_t group = 0; group < weights_.size(); ++group) {
    if (weights_[group] == 0) continue;
    groups.push_back(group);
    weights.push_back(weights_[group]);
  }
  return GroupsAsBatches(table_, groups, &weights);
}

std::vector<Batch> RowMultiset::ExpandedRows() const {
  std::vector<uint32_t> groups;
  for (uint32_t group = 0; group < weights_.size(); ++group) {
    if (weights_[group] > 0) groups.insert(groups.end(), weights_[group], group);
  }
  return GroupsAsBatches(table_, groups, nullptr);
}

bool RowMultiset::has_negative() const {
  return std::any_of(weights_.begin(), weights_.end(), [](int64_t weight) { return weight < 0; });
}

int64_t RowMultiset::bytes() const {
  return table_.bytes() + static_cast<int64_t>(weights_.capacity() * sizeof(int64_t));
}

}  // namespace millrace
