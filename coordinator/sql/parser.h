#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

// Where one statement of a script stands: bytes [begin_byte, end_byte) without the semicolon and
// without blanks and comments around it; begin_char is the 1-based character of its first byte.
struct StatementText {
  int32_t begin_byte = 0;
  int32_t end_byte = 0;
  int32_t begin_char = 1;
};

// A script's statements in order; empty ones are left out. Errors: 42601 for text that cannot be
// split (an unterminated string or comment), 22021 for bytes that are not UTF-8; positions count
// from the start of the script.
absl::StatusOr<std::vector<StatementText>> SplitStatements(absl::string_view script);

// Parses all statements of a script, and looks up nothing that they name. The errors of
// SplitStatements and ParsedStatement::Parse, with positions that count from the start of the
// script.
absl::Status CheckSyntax(absl::string_view script);

// An error whose position counts from the start of `statement` as one whose position counts from
// the start of the script.
absl::Status InScript(const absl::Status& error, const StatementText& statement);

}  // namespace millrace
