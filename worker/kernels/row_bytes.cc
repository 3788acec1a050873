#include "worker/kernels/row_bytes.h"

#include <algorithm>

#include "arrow/array.h"

namespace millrace {

RowBytes::RowBytes(const Batch& batch, DictionaryBytes dictionaries)
    : num_rows_(batch.num_rows()), fixed_(batch.weights() == nullptr ? 0 : sizeof(int64_t)) {
  for (const auto& column : batch.columns()) {
    const ColumnView view(*column);
    if (view.layout == Layout::kBytes || view.layout == Layout::kDictionary) {
      fixed_ += static_cast<int64_t>(sizeof(int32_t));
    }
    fixed_ += WidthOf(view.layout);
    if (view.layout == Layout::kBytes && view.length > 0) texts_.push_back(view);
    const bool decodes = dictionaries == DictionaryBytes::kText;
    if (view.layout == Layout::kDictionary && decodes) encoded_.push_back(view);
  }
}

int64_t RowBytes::max() const {
  int64_t bytes = fixed_;
  for (const ColumnView& text : texts_) {
    int32_t longest = 0;
    for (int64_t i = 0; i < num_rows_; ++i) {
      longest = std::max(longest, text.offsets[i + 1] - text.offsets[i]);
    }
    bytes += longest;
  }
  for (const ColumnView& text : encoded_) {
    if (text.dictionary_length > 0) bytes += text.dictionary_offsets[text.dictionary_length];
  }
  return bytes;
}

int64_t RowBytes::total_max(int64_t begin, int64_t num_rows) const {
  int64_t bytes = fixed_ * num_rows;
  for (const ColumnView& text : texts_) {
    bytes += text.offsets[begin + num_rows] - text.offsets[begin];
  }
  for (const ColumnView& text : encoded_) {
    if (text.dictionary_length == 0) continue;
    bytes += num_rows * (int64_t{text.dictionary_offsets[text.dictionary_length]} -
                         text.dictionary_offsets[0]);
  }
  return bytes;
}

int64_t RowsWithinBatch(const Batch& batch, int64_t begin, int64_t rows_max) {
  const RowBytes bytes(batch, DictionaryBytes::kText);
  if (bytes.total_max(begin, rows_max) <= kMaxBatchBytes) return rows_max;
  int64_t total = 0;
  int64_t n = 0;
  while (n < rows_max) {
    total += bytes.at(begin + n);
    if (total > kMaxBatchBytes && n > 0) break;
    ++n;
  }
  return n;
}

}  // namespace millrace
