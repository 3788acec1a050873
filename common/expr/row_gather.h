#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"

namespace millrace {

// The rows `indices` of a column, in that order. Indices must be in range. A dictionary keeps its
// values.
absl::StatusOr<std::shared_ptr<arrow::Array>> GatherRows(const arrow::Array& array,
                                                         const int32_t* indices,
                                                         int64_t num_indices);

// The first row `num_rows` times; more text than `text_bytes_max` is 54000.
absl::StatusOr<std::shared_ptr<arrow::Array>> RepeatFirstRow(const arrow::Array& array,
                                                             int64_t num_rows,
                                                             int64_t text_bytes_max);

// The values that a dictionary's rows stand for; `values` has one row for each entry of the
// dictionary, and may be something computed from them. More text than `text_bytes_max` is 54000.
absl::StatusOr<std::shared_ptr<arrow::Array>> ExpandDictionary(const arrow::DictionaryArray& codes,
                                                               const arrow::Array& values,
                                                               int64_t text_bytes_max);

// `array` itself, or its values if it is a dictionary. More text than `text_bytes_max` is 54000.
absl::StatusOr<std::shared_ptr<arrow::Array>> Decode(std::shared_ptr<arrow::Array> array,
                                                     int64_t text_bytes_max);

}  // namespace millrace
