#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/sql/prepass.h"
#include "coordinator/sql/text_positions.h"

struct PgQuery__Node;
struct PgQuery__ParseResult;

namespace millrace {

// One statement: its text, what the pre-pass took out of it, and PostgreSQL's parse tree of the
// rest. The tree lives as long as this object.
class ParsedStatement {
 public:
  // Exactly one statement (a semicolon may follow). All errors carry the position of a character in
  // `sql`.
  static absl::StatusOr<std::unique_ptr<ParsedStatement>> Parse(absl::string_view sql);
  ~ParsedStatement();
  ParsedStatement(const ParsedStatement&) = delete;
  ParsedStatement& operator=(const ParsedStatement&) = delete;

  // Null for FLUSH.
  const PgQuery__Node* root() const { return root_; }
  // The expression of WATERMARK FOR; null if there is none.
  const PgQuery__Node* watermark_expr() const { return watermark_expr_; }
  const Prepass& prepass() const { return prepass_; }
  absl::string_view text() const { return text_; }

  // The 1-based character for a byte offset of the parse tree; 0 for none. In the text of a view
  // all positions are that of the view's name in the statement that the user wrote.
  int32_t PositionOf(int32_t location) const {
    return fixed_position_ != 0 ? fixed_position_ : positions_.CharAt(location);
  }
  void FixPosition(int32_t position) { fixed_position_ = position; }

  // The first unquoted word `word` at or behind byte `from`; −1 if there is none.
  int32_t FindWord(absl::string_view word, int32_t from) const;
  // Where the first name token that means `name` begins, the statement's first word apart; −1 if
  // there is none.
  int32_t FindName(absl::string_view name) const;
  // The same for a word that can only be an alias without AS: it follows right behind an operand.
  int32_t FindBareAlias(absl::string_view word, int32_t from) const;

 private:
  using Tree = std::unique_ptr<PgQuery__ParseResult, void (*)(PgQuery__ParseResult*)>;

  explicit ParsedStatement(absl::string_view sql);
  absl::Status Prepare();
  absl::StatusOr<Tree> ParseText(const std::string& text) const;
  absl::Status ParseMain();
  absl::Status ParseWatermark();
  // Turns a position in bytes (from 1) into one in characters.
  absl::Status InCharacters(absl::Status status) const;
  absl::Status SyntaxError(absl::string_view message, int32_t byte) const;

  const std::string text_;
  const TextPositions positions_;
  int32_t fixed_position_ = 0;
  Prepass prepass_;
  Tree tree_;
  Tree watermark_tree_;
  const PgQuery__Node* root_ = nullptr;
  const PgQuery__Node* watermark_expr_ = nullptr;
};

}  // namespace millrace
