#pragma once

#include "common/expr/expr.h"

namespace millrace {

// A date that is compared with a constant timestamp (date '1994-01-01' + interval '1 year' is one)
// becomes a date compared with a date, which needs no conversion of every row and tells which row
// groups of a file to skip. Returns `expr` itself if it is something else.
ExprPtr SimplifyDateComparison(const ExprPtr& expr);

}  // namespace millrace
