#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "arrow/type_fwd.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/flat_vector.h"

namespace millrace {

// "There is no such row": gathers as NULLs.
inline constexpr uint32_t kNoRow = UINT32_MAX;

// Rows held in memory, column by column, for random access: the build side of a join, the input of
// a sort. Fixed-width values are copied; texts stay in the batches they came in, which the store
// holds on to.
class ColumnStore {
 public:
  explicit ColumnStore(std::vector<SqlType> types);

  // Appends all rows; columns as in `types`. Weights are kept if the batch has them.
  void Append(const Batch& batch);
  uint32_t num_rows() const { return num_rows_; }
  int num_columns() const { return static_cast<int>(columns_.size()); }
  const std::vector<SqlType>& types() const { return types_; }

  // The rows in that order as a column; kNoRow becomes NULL.
  std::shared_ptr<arrow::Array> Gather(int column, absl::Span<const uint32_t> rows) const;
  // All columns, without weights.
  Batch GatherRows(absl::Span<const uint32_t> rows) const;

  // How many bytes of text these rows of a column have when they are gathered; 0 for other columns.
  int64_t TextBytes(int column, absl::Span<const uint32_t> rows) const;
  // How many bytes the row has when it is gathered; no row has more than row_bytes_max().
  int64_t RowBytes(uint32_t row) const;
  int64_t row_bytes_max() const { return fixed_row_bytes_ + text_bytes_max_; }
  // How many of the first of `rows` have about kMaxBatchBytes together, at least one if there is
  // one; costs nothing for a row where rows are small.
  size_t RowsWithinBatch(absl::Span<const uint32_t> rows) const;

  // Order of two rows in one column: negative, 0 or positive; NULL comes last, NaN behind all
  // numbers.
  int Compare(int column, uint32_t a, uint32_t b) const;
  // Order of two rows over all columns.
  int CompareRows(uint32_t a, uint32_t b) const;

  bool IsNull(int column, uint32_t row) const {
    const Column& c = columns_[column];
    return c.layout == Layout::kNull || (!c.nulls.empty() && c.nulls[row] != 0);
  }
  template <typename T>
  const T* values(int column) const {
    return reinterpret_cast<const T*>(columns_[column].fixed.data());
  }
  std::string_view Text(int column, uint32_t row) const {
    const TextRef& ref = columns_[column].texts[row];
    return {ref.data, ref.length};
  }

  // Keeps the rows `survivors` (ascending); survivors[i] becomes row i.
  void Retain(absl::Span<const uint32_t> survivors);
  int64_t bytes() const;

 private:
  struct TextRef {
    const char* data;
    uint32_t length;
  };
  struct Column {
    Layout layout = Layout::kNull;
    // Bytes of a value.
    int width = 0;
    FlatVector<uint8_t> fixed;
    FlatVector<TextRef> texts;
    // Of the longest text.
    uint32_t text_bytes_max = 0;
    // One byte for each row; empty while no NULL was seen.
    FlatVector<uint8_t> nulls;
    // Of the texts that came last; what holds them is kept.
    const arrow::ArrayData* newest_dictionary = nullptr;
  };

  // How much more is held with this array of texts.
  static int64_t HeldBytes(const arrow::Array& array, Column& column);
  void AppendColumn(const std::shared_ptr<arrow::Array>& array, Column& column);

  std::vector<SqlType> types_;
  std::vector<std::shared_ptr<arrow::DataType>> arrow_types_;
  std::vector<Column> columns_;
  uint32_t num_rows_ = 0;
  // Of a gathered row: what is the same for all, and the longest texts of all columns together.
  int64_t fixed_row_bytes_ = 0;
  int64_t text_bytes_max_ = 0;
  // Where texts live.
  std::vector<std::shared_ptr<arrow::Array>> held_;
  int64_t held_bytes_ = 0;
};

// Order of two values: negative, 0 or positive; NULL comes last.
int CompareValues(const ColumnView& a, int64_t a_row, const ColumnView& b, int64_t b_row);

}  // namespace millrace
