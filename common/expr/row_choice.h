#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/expr/kernel.h"

namespace millrace {

// Where some rows of a result come from.
struct RowChoice {
  Operand values;
  // Rows of the result, ascending.
  std::vector<int32_t> rows;
  // True: values has one row for each entry of `rows`; false: it has all rows of the result.
  bool dense = false;
};

// Puts a column together from choices; rows that no choice names are NULL. No row may be named
// twice. More text than `text_bytes_max` is 54000.
absl::StatusOr<std::shared_ptr<arrow::Array>> ChooseRows(const SqlType& type, int64_t num_rows,
                                                         absl::Span<const RowChoice> choices,
                                                         int64_t text_bytes_max);

}  // namespace millrace
