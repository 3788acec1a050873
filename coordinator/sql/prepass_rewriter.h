#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "coordinator/sql/prepass.h"

namespace millrace {

// The text and the tokens of a statement while the pre-pass works on it. Indices beyond the last
// token are allowed in the questions and answered with false.
class PrepassText {
 public:
  explicit PrepassText(Prepass& result) : result_(result) {}

  Prepass& result() { return result_; }
  size_t size() const { return result_.tokens.size(); }
  const SqlToken& token(size_t i) const { return result_.tokens[i]; }

  bool WordAt(size_t i, absl::string_view word) const {
    return i < size() && token(i).IsWord(word);
  }
  bool SymbolAt(size_t i, absl::string_view symbol) const {
    return i < size() && token(i).IsSymbol(symbol);
  }
  bool KindAt(size_t i, TokenKind kind) const { return i < size() && token(i).kind == kind; }
  bool NameAt(size_t i) const { return i < size() && token(i).IsName(); }

  void Blank(int32_t begin, int32_t end);
  // Token `i` replaced by `word`, which is no longer than it.
  void Put(size_t i, absl::string_view word);

  // "syntax error at or near …" at token `i`, or at the end of the text.
  absl::Status SyntaxErrorAt(size_t i) const;
  // "<what> is not supported" at token `i`.
  absl::Status Unsupported(size_t i, absl::string_view what) const;

 private:
  Prepass& result_;
};

// Everything behind the head: files and epochs in FROM, window functions in Flink's spelling,
// option keys, watermarks. Starts at token `first`.
absl::Status RewriteBody(PrepassText& text, size_t first);

}  // namespace millrace
