#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

// kWord: keywords and identifiers without quotes. kQuoted: "identifiers". kString: every form of a
// text constant. kSymbol: operators and punctuation.
enum class TokenKind : uint8_t { kWord, kQuoted, kString, kNumber, kParameter, kOther, kSymbol };

// One token of PostgreSQL's scanner; comments are left out.
struct SqlToken {
  TokenKind kind = TokenKind::kSymbol;
  // Bytes of the scanned text, [begin, end).
  int32_t begin = 0;
  int32_t end = 0;
  // As written; points into the scanned text.
  absl::string_view text;

  // True for the unquoted word `word` (given in lower case), in any case.
  bool IsWord(absl::string_view word) const;
  bool IsSymbol(absl::string_view symbol) const {
    return kind == TokenKind::kSymbol && text == symbol;
  }
  // True for what can stand where a name is expected.
  bool IsName() const { return kind == TokenKind::kWord || kind == TokenKind::kQuoted; }
  // The name that an identifier means: folded to lower case, or without its quotes.
  std::string Name() const;
};

// The tokens of `text`, which must outlive them and be valid UTF-8 without NUL. 42601 for what is
// not even tokens (an unterminated string); the position counts from the start of `text`.
absl::StatusOr<std::vector<SqlToken>> ScanTokens(absl::string_view text);

// The value of a kString token ('it''s', E'\n', $$…$$, U&'…').
absl::StatusOr<std::string> StringTokenValue(const SqlToken& token);

}  // namespace millrace
