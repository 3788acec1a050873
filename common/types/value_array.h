#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"
#include "common/types/value.h"

namespace millrace {

// A column of `num_rows` times the same constant; has ToArrowType(value.type). A constant of
// unknown type that is not NULL becomes utf8.
absl::StatusOr<std::shared_ptr<arrow::Array>> ArrayOfValue(const Value& value, int64_t num_rows);

// The constant in one row of a column that has ToArrowType(type), or is a dictionary of utf8.
Value ValueAt(const arrow::Array& array, int64_t row, const SqlType& type);

}  // namespace millrace
