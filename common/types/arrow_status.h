#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "arrow/result.h"
#include "arrow/status.h"
#include "common/base/status.h"

namespace millrace {

// The one place where Arrow's statuses become ours: out of memory 53200, I/O 58030, invalid 22023,
// not implemented 0A000, everything else XX000.
absl::Status FromArrow(const arrow::Status& status);

template <typename T>
absl::StatusOr<T> FromArrow(arrow::Result<T> result) {
  if (!result.ok()) return FromArrow(result.status());
  return std::move(result).ValueUnsafe();
}

}  // namespace millrace

// MR_ASSIGN_ARROW_OR_RETURN(auto array, builder.Finish());
#define MR_ASSIGN_ARROW_OR_RETURN(lhs, expr) MR_ASSIGN_OR_RETURN(lhs, ::millrace::FromArrow(expr))
#define MR_RETURN_IF_ARROW_ERROR(expr) MR_RETURN_IF_ERROR(::millrace::FromArrow(expr))
