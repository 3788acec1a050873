#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"
#include "worker/kernels/column_store.h"

namespace millrace {

// The rows `rows` of a batch, which shares its columns if they are all of them in order.
absl::StatusOr<Batch> TakeOrShare(const Batch& batch, const std::vector<int32_t>& rows);

// Rows of `left` beside stored rows (kNoRow: NULLs). Weights of `left` pass through.
absl::StatusOr<Batch> JoinRows(const Batch& left, const std::vector<int32_t>& left_rows,
                               const ColumnStore& right, const std::vector<uint32_t>& right_rows);

// Stored rows beside NULLs for the columns of `left`.
Batch UnmatchedRight(const Schema& left, const ColumnStore& right,
                     const std::vector<uint32_t>& rows);

}  // namespace millrace
