#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "common/types/batch.h"

namespace millrace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

template <typename Builder, typename T>
ArrayPtr MakeArrayOf(const std::vector<std::optional<T>>& values) {
  Builder builder;
  for (const auto& value : values) {
    const auto status = value.has_value() ? builder.Append(*value) : builder.AppendNull();
    if (!status.ok()) std::abort();
  }
  return *builder.Finish();
}

inline ArrayPtr Int32s(const std::vector<std::optional<int32_t>>& values) {
  return MakeArrayOf<arrow::Int32Builder>(values);
}
inline ArrayPtr Int64s(const std::vector<std::optional<int64_t>>& values) {
  return MakeArrayOf<arrow::Int64Builder>(values);
}
inline ArrayPtr Doubles(const std::vector<std::optional<double>>& values) {
  return MakeArrayOf<arrow::DoubleBuilder>(values);
}
inline ArrayPtr Bools(const std::vector<std::optional<bool>>& values) {
  return MakeArrayOf<arrow::BooleanBuilder>(values);
}
inline ArrayPtr Texts(const std::vector<std::optional<std::string>>& values) {
  return MakeArrayOf<arrow::StringBuilder>(values);
}
inline ArrayPtr Decimals(const std::vector<std::optional<int64_t>>& unscaled, int32_t scale) {
  arrow::Decimal128Builder builder(arrow::decimal128(38, scale));
  for (const auto& value : unscaled) {
    const auto status =
        value.has_value() ? builder.Append(arrow::Decimal128(*value)) : builder.AppendNull();
    if (!status.ok()) std::abort();
  }
  return *builder.Finish();
}
// The same text as a dictionary column.
inline ArrayPtr Dictionary(const ArrayPtr& texts) {
  arrow::StringDictionary32Builder builder;
  const auto& strings = static_cast<const arrow::StringArray&>(*texts);
  for (int64_t i = 0; i < strings.length(); ++i) {
    const auto status =
        strings.IsNull(i) ? builder.AppendNull() : builder.Append(strings.GetView(i));
    if (!status.ok()) std::abort();
  }
  return *builder.Finish();
}

inline Batch MakeBatch(std::vector<ArrayPtr> columns) {
  const int64_t num_rows = columns[0]->length();
  return Batch(std::move(columns), num_rows);
}

}  // namespace millrace
