#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/expr/expr.h"

// Calls that statements imply but nobody writes: users cannot name these functions.

namespace millrace {

// `value` itself; 23502 with both names for a row where it is NULL.
ExprPtr BuildNotNullCheck(ExprPtr value, absl::string_view column, absl::string_view relation,
                          int32_t position);

// `value` itself; 21000 for a row where `count` (bigint, may be NULL) is more than one.
ExprPtr BuildSingleRowCheck(ExprPtr value, ExprPtr count, int32_t position);

// The length of an interval as numeric, in microseconds: a month has 30 days, a day 24 hours. Equal
// for equal intervals, whose parts may differ ('1 day' and '24:00:00').
ExprPtr BuildIntervalSpan(ExprPtr interval);

}  // namespace millrace
