#include "worker/kernels/column_store.h"

#include <algorithm>

#include "arrow/array.h"
#include "arrow/type.h"
#include "arrow/util/byte_size.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/compare.h"

namespace millrace {
namespace {

template <typename T>
std::shared_ptr<arrow::Array> GatherFixed(const std::shared_ptr<arrow::DataType>& type,
                                          const T* values, const uint8_t* nulls,
                                          absl::Span<const uint32_t> rows) {
  const auto n = static_cast<int64_t>(rows.size());
  FlatVector<T> out(n);
  NullBits bits(n);
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t row = rows[i];
    if (row == kNoRow || (nulls != nullptr && nulls[row] != 0)) {
      out[i] = T{};
      bits.SetNull(i);
    } else {
      out[i] = values[row];
    }
  }
  if constexpr (sizeof(T) == 1) {
    return MakeBoolArray(out, std::move(bits));
  } else {
    return MakeFixedArray(type, std::move(out), std::move(bits));
  }
}

template <typename T>
T Load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

int CompareFixed(Layout layout, const uint8_t* a, const uint8_t* b) {
  switch (layout) {
    case Layout::kBool:
      return int{*a} - int{*b};
    case Layout::kInt16:
      return CompareNumbers(Load<int16_t>(a), Load<int16_t>(b));
    case Layout::kInt32:
      return CompareNumbers(Load<int32_t>(a), Load<int32_t>(b));
    case Layout::kInt64:
      return CompareNumbers(Load<int64_t>(a), Load<int64_t>(b));
    case Layout::kFloat32:
      return CompareFloats(Load<float>(a), Load<float>(b));
    case Layout::kFloat64:
      return CompareFloats(Load<double>(a), Load<double>(b));
    case Layout::kInt128:
      return CompareNumbers(Load<__int128>(a), Load<__int128>(b));
    case Layout::kUuid:
      return std::memcmp(a, b, 16);
    case Layout::kInterval:
      return CompareIntervals(Load<RawInterval>(a), Load<RawInterval>(b));
    default:
      return 0;
  }
}

}  // namespace

ColumnStore::ColumnStore(std::vector<SqlType> types) : types_(std::move(types)) {
  for (const SqlType& type : types_) {
    arrow_types_.push_back(ToArrowType(type));
    Column column;
    column.layout = LayoutOf(*arrow_types_.back());
    column.width = WidthOf(column.layout);
    fixed_row_bytes_ +=
        column.layout == Layout::kBytes ? static_cast<int64_t>(sizeof(int32_t)) : column.width;
    columns_.push_back(std::move(column));
  }
}

void ColumnStore::Append(const Batch& batch) {
  MR_DCHECK(batch.num_columns() == num_columns());
  MR_CHECK(int64_t{num_rows_} + batch.num_rows() < int64_t{kNoRow});
  for (int c = 0; c < num_columns(); ++c) AppendColumn(batch.column(c), columns_[c]);
  num_rows_ += static_cast<uint32_t>(batch.num_rows());
}

int64_t ColumnStore::HeldBytes(const arrow::Array& array, Column& column) {
  const auto& dictionary = array.data()->dictionary;
  // Batches that were cut from one share its dictionary.
  const bool is_known = dictionary != nullptr && dictionary.get() == column.newest_dictionary;
  column.newest_dictionary = dictionary.get();
  const auto size = arrow::util::ReferencedBufferSize(
      is_known ? *static_cast<const arrow::DictionaryArray&>(array).indices() : array);
  return size.ok() ? *size : 0;
}

void ColumnStore::AppendColumn(const std::shared_ptr<arrow::Array>& array, Column& column) {
  const ColumnView view(*array);
  const int64_t n = view.length;
  if (column.layout == Layout::kNull) return;
  if (view.nullable()) {
    column.nulls.Resize(num_rows_, 0);
    column.nulls.ResizeUninitialized(num_rows_ + n);
    for (int64_t i = 0; i < n; ++i) column.nulls[num_rows_ + i] = view.IsNull(i) ? 1 : 0;
  } else if (!column.nulls.empty()) {
    column.nulls.Resize(num_rows_ + n, 0);
  }
  if (column.layout == Layout::kBytes) {
    column.texts.ResizeUninitialized(num_rows_ + n);
    uint32_t longest = column.text_bytes_max;
    for (int64_t i = 0; i < n; ++i) {
      const std::string_view text = view.IsNull(i) ? std::string_view() : view.Text(i);
      const auto length = static_cast<uint32_t>(text.size());
      column.texts[num_rows_ + i] = {text.data(), length};
      longest = std::max(longest, length);
    }
    text_bytes_max_ += longest - column.text_bytes_max;
    column.text_bytes_max = longest;
    held_.push_back(array);
    held_bytes_ += HeldBytes(*array, column);
  } else if (column.layout == Layout::kBool) {
    column.fixed.ResizeUninitialized(num_rows_ + n);
    for (int64_t i = 0; i < n; ++i) column.fixed[num_rows_ + i] = view.Bool(i) ? 1 : 0;
  } else {
    column.fixed.Append(view.values, n * column.width);
  }
}

std::shared_ptr<arrow::Array> ColumnStore::Gather(int index,
                                                  absl::Span<const uint32_t> rows) const {
  const Column& column = columns_[index];
  const auto& type = arrow_types_[index];
  const uint8_t* nulls = column.nulls.empty() ? nullptr : column.nulls.data();
  if (column.layout == Layout::kBytes) {
    TextOutput out(static_cast<int64_t>(rows.size()));
    for (const uint32_t row : rows) {
      if (row == kNoRow || (nulls != nullptr && nulls[row] != 0)) {
        out.AppendNull();
      } else {
        out.Append(Text(index, row));
      }
    }
    return out.Finish(type);
  }
  switch (column.width) {
    case 1:
      return GatherFixed(type, values<uint8_t>(index), nulls, rows);
    case 2:
      return GatherFixed(type, values<uint16_t>(index), nulls, rows);
    case 4:
      return GatherFixed(type, values<uint32_t>(index), nulls, rows);
    case 8:
      return GatherFixed(type, values<uint64_t>(index), nulls, rows);
    case 16:
      return GatherFixed(type, values<unsigned __int128>(index), nulls, rows);
    default:
      return MakeNullArray(types_[index], static_cast<int64_t>(rows.size()));
  }
}

Batch ColumnStore::GatherRows(absl::Span<const uint32_t> rows) const {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  columns.reserve(columns_.size());
  for (int c = 0; c < num_columns(); ++c) columns.push_back(Gather(c, rows));
  return Batch(std::move(columns), static_cast<int64_t>(rows.size()));
}

int64_t ColumnStore::TextBytes(int column, absl::Span<const uint32_t> rows) const {
  const Column& texts = columns_[column];
  if (texts.layout != Layout::kBytes) return 0;
  int64_t bytes = 0;
  for (const uint32_t row : rows) bytes += row == kNoRow ? 0 : texts.texts[row].length;
  return bytes;
}

int64_t ColumnStore::RowBytes(uint32_t row) const {
  int64_t bytes = fixed_row_bytes_;
  if (row == kNoRow) return bytes;
  for (const Column& column : columns_) {
    if (column.layout == Layout::kBytes) bytes += column.texts[row].length;
  }
  return bytes;
}

size_t ColumnStore::RowsWithinBatch(absl::Span<const uint32_t> rows) const {
  if (row_bytes_max() * static_cast<int64_t>(rows.size()) <= kMaxBatchBytes) return rows.size();
  int64_t bytes = 0;
  size_t n = 0;
  while (n < rows.size()) {
    bytes += RowBytes(rows[n]);
    if (bytes > kMaxBatchBytes && n > 0) break;
    ++n;
  }
  return n;
}

int ColumnStore::Compare(int index, uint32_t a, uint32_t b) const {
  const Column& column = columns_[index];
  const bool a_null = IsNull(index, a);
  const bool b_null = IsNull(index, b);
  if (a_null || b_null) return static_cast<int>(a_null) - static_cast<int>(b_null);
  if (column.layout == Layout::kBytes) return CompareTexts(Text(index, a), Text(index, b));
  const uint8_t* fixed = column.fixed.data();
  return CompareFixed(column.layout, fixed + int64_t{a} * column.width,
                      fixed + int64_t{b} * column.width);
}

int ColumnStore::CompareRows(uint32_t a, uint32_t b) const {
  for (int c = 0; c < num_columns(); ++c) {
    if (const int order = Compare(c, a, b); order != 0) return order;
  }
  return 0;
}

void ColumnStore::Retain(absl::Span<const uint32_t> survivors) {
  // Texts are copied together, so that the batches of the rows that go can be freed.
  // In parts, because the texts of one array must not exceed 2 GiB.
  constexpr size_t kPartRows = 65536;
  ColumnStore kept(types_);
  for (size_t begin = 0; begin < survivors.size(); begin += kPartRows) {
    kept.Append(GatherRows(survivors.subspan(begin, kPartRows)));
  }
  *this = std::move(kept);
}

int64_t ColumnStore::bytes() const {
  int64_t total = held_bytes_;
  for (const Column& column : columns_) {
    total += column.fixed.bytes() + column.texts.bytes() + column.nulls.bytes();
  }
  return total;
}

int CompareValues(const ColumnView& a, int64_t a_row, const ColumnView& b, int64_t b_row) {
  const bool a_null = a.IsNull(a_row);
  const bool b_null = b.IsNull(b_row);
  if (a_null || b_null) return static_cast<int>(a_null) - static_cast<int>(b_null);
  switch (a.layout) {
    case Layout::kBytes:
    case Layout::kDictionary:
      return CompareTexts(a.Text(a_row), b.Text(b_row));
    case Layout::kBool:
      return static_cast<int>(a.Bool(a_row)) - static_cast<int>(b.Bool(b_row));
    default: {
      const int64_t width = WidthOf(a.layout);
      return CompareFixed(a.layout, a.values + a_row * width, b.values + b_row * width);
    }
  }
}

}  // namespace millrace
