#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "coordinator/sql/sql_token.h"

namespace millrace {

// What one statement may be, so that no text can exhaust the stack or the memory of the process.
inline constexpr size_t kMaxStatementBytes = size_t{1} << 20;
// Levels of a statement's parse tree, and of what the binder makes of it (with the views that it
// names).
inline constexpr int kMaxNesting = 500;
// Nodes of a bound plan, with every view and WITH query counted as often as it is named.
inline constexpr int64_t kMaxPlanNodes = 20'000;
// SELECTs, items of FROM and window calls of a statement, with those of the views that it names;
// and the columns of all of them together. They bound the depth and the size of a plan.
inline constexpr int64_t kMaxOperators = 2'000;
inline constexpr int64_t kMaxPlanColumns = 1'000'000;
inline constexpr size_t kMaxIdentifierBytes = 63;
// Elements of a SELECT list, GROUP BY, ORDER BY or PARTITION BY, and aggregates of one SELECT;
// columns of a table.
inline constexpr size_t kMaxTargetColumns = 1664;
// Different windows of one SELECT: each is an operator on top of the others.
inline constexpr size_t kMaxWindows = 100;
inline constexpr size_t kMaxTableColumns = 1600;

// Length, UTF-8 and NUL: 54000 or 22021.
absl::Status CheckStatementText(absl::string_view text);

// 54011 if a list of a clause has more than kMaxTargetColumns elements; `what` as in "GROUP BY".
absl::Status CheckListLength(size_t length, absl::string_view what);

// 54001 if the parse tree of the tokens can become deeper than kMaxNesting: parentheses, chains of
// operators, joins and set operations all add levels; lists, AND and OR do not. The position is a
// byte offset, from 1.
absl::Status CheckNesting(const std::vector<SqlToken>& tokens);

}  // namespace millrace
