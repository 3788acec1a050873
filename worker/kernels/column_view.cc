#include "worker/kernels/column_view.h"

#include "arrow/array.h"
#include "arrow/type.h"

namespace millrace {

int WidthOf(Layout layout) {
  switch (layout) {
    case Layout::kBool:
      return 1;
    case Layout::kInt16:
      return 2;
    case Layout::kInt32:
    case Layout::kFloat32:
      return 4;
    case Layout::kInt64:
    case Layout::kFloat64:
      return 8;
    case Layout::kInt128:
    case Layout::kUuid:
    case Layout::kInterval:
      return 16;
    case Layout::kNull:
    case Layout::kBytes:
    case Layout::kDictionary:
      return 0;
  }
  return 0;
}

Layout LayoutOf(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::NA:
      return Layout::kNull;
    case arrow::Type::BOOL:
      return Layout::kBool;
    case arrow::Type::INT16:
      return Layout::kInt16;
    case arrow::Type::INT32:
    case arrow::Type::DATE32:
      return Layout::kInt32;
    case arrow::Type::INT64:
    case arrow::Type::TIME64:
    case arrow::Type::TIMESTAMP:
      return Layout::kInt64;
    case arrow::Type::FLOAT:
      return Layout::kFloat32;
    case arrow::Type::DOUBLE:
      return Layout::kFloat64;
    case arrow::Type::DECIMAL128:
      return Layout::kInt128;
    case arrow::Type::FIXED_SIZE_BINARY:
      return Layout::kUuid;
    case arrow::Type::INTERVAL_MONTH_DAY_NANO:
      return Layout::kInterval;
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return Layout::kBytes;
    case arrow::Type::DICTIONARY:
      return Layout::kDictionary;
    default:
      // A batch holds the types of common/types/sql_type.h only; scans convert all others.
      MR_CHECK(false);
      return Layout::kNull;
  }
}

ColumnView::ColumnView(const arrow::Array& array) : layout(LayoutOf(*array.type())) {
  const arrow::ArrayData& data = *array.data();
  length = data.length;
  bit_offset = data.offset;
  if (layout == Layout::kNull) return;
  if (data.GetNullCount() != 0) validity = data.buffers[0]->data();
  const auto& buffer = data.buffers[1];
  const uint8_t* raw = buffer == nullptr ? nullptr : buffer->data();
  if (layout == Layout::kBool) {
    values = raw;
    return;
  }
  if (layout == Layout::kBytes) {
    static constexpr int32_t kNoOffsets[1] = {0};
    offsets = raw == nullptr ? kNoOffsets : reinterpret_cast<const int32_t*>(raw) + data.offset;
    values = data.buffers[2] == nullptr ? nullptr : data.buffers[2]->data();
    return;
  }
  const int width = layout == Layout::kDictionary ? 4 : WidthOf(layout);
  values = raw == nullptr ? nullptr : raw + data.offset * width;
  if (layout != Layout::kDictionary) return;
  dictionary = data.dictionary.get();
  const ColumnView entries(*static_cast<const arrow::DictionaryArray&>(array).dictionary());
  dictionary_length = entries.length;
  dictionary_offsets = entries.offsets;
  dictionary_chars = entries.values;
  dictionary_validity = entries.validity;
  dictionary_bit_offset = entries.bit_offset;
}

}  // namespace millrace
