#include "worker/kernels/top_n_buffer.h"

#include <algorithm>
#include <numeric>

#include "arrow/array.h"

namespace millrace {
namespace {

// Rows that are gathered beyond n before they are sorted and cut.
constexpr uint64_t kSlackRows = 16384;

}  // namespace

TopNBuffer::TopNBuffer(std::vector<SqlType> row_types, uint64_t n)
    : row_types_(row_types),
      n_(std::min<uint64_t>(n, UINT32_MAX)),
      buffer_(std::move(row_types), TieBreak::kWholeRow, SortBuffer::KeyUse::kKeep) {}

void TopNBuffer::Add(const Batch& batch, const EncodedRows& keys) {
  if (n_ == 0 || batch.num_rows() == 0) return;
  if (!has_threshold_) {
    buffer_.Append(batch, keys);
  } else {
    Select(batch, keys);
    if (selected_.empty()) return;
    ColumnStore taken(row_types_);
    taken.Append(batch);
    buffer_.Append(taken.GatherRows(selected_), selected_keys_);
  }
  if (buffer_.num_rows() >= n_ + std::max(n_, kSlackRows)) Compact();
}

void TopNBuffer::Select(const Batch& batch, const EncodedRows& keys) {
  selected_.clear();
  selected_keys_.bytes.Clear();
  selected_keys_.offsets.Clear();
  selected_keys_.offsets.PushBack(0);
  const std::string_view limit(threshold_key_.data(), threshold_key_.size());
  const SortItem limit_item = MakeSortItem(limit, 0, 0);
  std::vector<ColumnView> columns;
  for (int64_t i = 0; i < batch.num_rows(); ++i) {
    const std::string_view key = keys.row(i);
    const SortItem item = MakeSortItem(key, 0, 0);
    // Most rows end here.
    if (PrefixLess(limit_item, item)) continue;
    const int order = SamePrefix(limit_item, item) ? key.compare(limit) : -1;
    if (order > 0) continue;
    if (order == 0 && columns.empty()) {
      for (const auto& column : batch.columns()) columns.emplace_back(*column);
    }
    if (order == 0 && !BeatsThreshold(columns, i)) continue;
    selected_.push_back(static_cast<uint32_t>(i));
    selected_keys_.bytes.Append(key.data(), static_cast<int64_t>(key.size()));
    selected_keys_.offsets.PushBack(selected_keys_.bytes.size());
  }
}

bool TopNBuffer::BeatsThreshold(const std::vector<ColumnView>& columns, int64_t row) const {
  for (size_t c = 0; c < columns.size(); ++c) {
    const ColumnView limit(*threshold_row_.column(static_cast<int>(c)));
    const int order = CompareValues(columns[c], row, limit, 0);
    if (order != 0) return order < 0;
  }
  return false;
}

void TopNBuffer::Compact() {
  buffer_.Sort();
  std::vector<uint32_t> first(std::min<uint64_t>(n_, buffer_.num_rows()));
  std::iota(first.begin(), first.end(), 0);
  buffer_.Keep(first);
  if (buffer_.num_rows() < n_) return;
  const uint32_t last = buffer_.num_rows() - 1;
  threshold_row_ = buffer_.rows().GatherRows({last});
  const std::string_view key = buffer_.Key(last);
  threshold_key_.assign(key.begin(), key.end());
  has_threshold_ = true;
}

void TopNBuffer::Finish() {
  Compact();
  buffer_.Sort();
}

}  // namespace millrace
