#pragma once

#include "common/expr/kernel.h"

namespace millrace {

// needle IN (constants): the first argument against all others, which are constant. NULL if the
// needle is, or if it is not found and the list holds a NULL.
absl::StatusOr<std::shared_ptr<arrow::Array>> InList(const KernelCall& call);

}  // namespace millrace
