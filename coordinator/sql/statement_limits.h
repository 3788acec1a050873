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
inline constexpr size_t kMaxIdentifierBytes = 63;
inline constexpr size_t kMaxTargetColumns = 1664;

// Length, UTF-8 and NUL: 54000 or 22021.
absl::Status CheckStatementText(absl::string_view text);

// 54001 if the parse tree of the tokens can become deeper than kMaxNesting: parentheses, chains of
// operators, joins and set operations all add levels; lists, AND and OR do not. The position is a
// byte offset, from 1.
absl::Status CheckNesting(const std::vector<SqlToken>& tokens);

}  // namespace millrace
