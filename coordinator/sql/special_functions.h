#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/expr/expr.h"

// Functions that are not in the catalog, because they become other expressions.

namespace millrace {

// pg_typeof, OVERLAPS, substring(… SIMILAR … ESCAPE …); null if `name` with these arguments is none
// of them.
absl::StatusOr<ExprPtr> BuildSpecialFunction(absl::string_view name,
                                             const std::vector<ExprPtr>& args, int32_t position);

// The arguments of a call with names (make_interval(days => 3)) in the function's order, missing
// ones filled in. names[i] is empty for an argument without a name. 0A000 for a function whose
// parameters have no names here.
absl::StatusOr<std::vector<ExprPtr>> OrderNamedArguments(absl::string_view function,
                                                         std::vector<ExprPtr> args,
                                                         const std::vector<std::string>& names,
                                                         int32_t position);

// PostgreSQL's functions that are missing here, so that they are refused with 0A000.
bool IsMissingFunction(absl::string_view name);

}  // namespace millrace
