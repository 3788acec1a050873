#include "coordinator/sql/parsed_statement.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/sql/foreign_words.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/statement_limits.h"
#include "pg_query.h"

namespace millrace {
namespace {

void FreeTree(PgQuery__ParseResult* tree) { pg_query__parse_result__free_unpacked(tree, nullptr); }

// libpg_query gives no SQLSTATE, but PostgreSQL's grammar words its refusals in a few ways.
SqlState StateOfMessage(absl::string_view message) {
  for (const char* part : {"not supported", "not yet supported", "not implemented",
                           "not yet implemented", "unsupported"}) {
    if (absl::StrContains(message, part)) return SqlState::kFeatureNotSupported;
  }
  for (const char* part : {"frame start cannot be", "frame end cannot be", "frame starting from"}) {
    if (absl::StrContains(message, part)) return SqlState::kWindowingError;
  }
  return SqlState::kSyntaxError;
}

// True if an expression can end with `token`.
bool EndsOperand(const SqlToken& token) {
  if (token.kind == TokenKind::kSymbol) return token.text == ")" || token.text == "]";
  if (token.kind != TokenKind::kWord) return true;
  static constexpr const char* kWords[] = {"as",   "select", "distinct", "all",  "and",  "or",
                                           "not",  "case",   "when",     "then", "else", "in",
                                           "like", "by",     "on",       "from", "join"};
  return std::none_of(std::begin(kWords), std::end(kWords),
                      [&](const char* word) { return token.IsWord(word); });
}

}  // namespace

ParsedStatement::ParsedStatement(absl::string_view sql)
    : text_(sql), positions_(text_), tree_(nullptr, FreeTree), watermark_tree_(nullptr, FreeTree) {}

ParsedStatement::~ParsedStatement() = default;

absl::StatusOr<std::unique_ptr<ParsedStatement>> ParsedStatement::Parse(absl::string_view sql) {
  MR_RETURN_IF_ERROR(CheckStatementText(sql));
  auto statement = std::unique_ptr<ParsedStatement>(new ParsedStatement(sql));
  MR_RETURN_IF_ERROR(statement->InCharacters(statement->Prepare()));
  if (statement->prepass_.head == StatementHead::kFlush) return statement;
  MR_RETURN_IF_ERROR(statement->ParseMain());
  if (statement->prepass_.watermark.has_value()) MR_RETURN_IF_ERROR(statement->ParseWatermark());
  return statement;
}

absl::Status ParsedStatement::InCharacters(absl::Status status) const {
  if (status.ok()) return status;
  const ErrorDetail detail = GetErrorDetail(status);
  if (detail.position == 0) return status;
  ErrorDetail moved = detail;
  moved.position = positions_.CharAt(detail.position - 1);
  return MakeError(moved, status.message());
}

absl::Status ParsedStatement::Prepare() {
  absl::StatusOr<std::vector<SqlToken>> scanned = ScanTokens(text_);
  if (!scanned.ok()) {
    // The scanner counts characters already: back to bytes, as all other errors of this function.
    ErrorDetail detail = GetErrorDetail(scanned.status());
    if (detail.position > 0) detail.position = positions_.ByteAt(detail.position) + 1;
    return MakeError(detail, scanned.status().message());
  }
  std::vector<SqlToken> tokens = *std::move(scanned);
  while (!tokens.empty() && tokens.back().IsSymbol(";")) tokens.pop_back();
  if (tokens.empty()) return MakeError(SqlState::kSyntaxError, "the statement is empty");
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i].IsSymbol(";")) continue;
    return WithPosition(MakeError(SqlState::kSyntaxError, "more than one statement"),
                        tokens[i].begin + 1);
  }
  MR_RETURN_IF_ERROR(CheckNesting(tokens));
  MR_ASSIGN_OR_RETURN(prepass_, RunPrepass(text_, std::move(tokens)));
  return absl::OkStatus();
}

absl::Status ParsedStatement::SyntaxError(absl::string_view message, int32_t byte) const {
  std::string text(message);
  // The grammar saw the rewritten text; the user knows the original one.
  const bool quotes_token = absl::StrContains(message, "syntax error at or near");
  const std::vector<SqlToken>& tokens = prepass_.tokens;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool stumbled = quotes_token && tokens[i].begin == byte;
    if (!stumbled) continue;
    text = absl::StrCat("syntax error at or near \"", tokens[i].text, "\"");
    // The word before was taken for an alias, or the word itself is not known.
    for (const size_t near : {i == 0 ? i : i - 1, i}) {
      const ForeignWord* word = tokens[near].kind == TokenKind::kWord
                                    ? FindForeignWord(absl::AsciiStrToLower(tokens[near].text))
                                    : nullptr;
      if (word == nullptr) continue;
      return WithPosition(WithHint(NotSupported(word->feature), word->hint),
                          positions_.CharAt(tokens[near].begin));
    }
  }
  const bool no_alias = absl::StrContains(message, "subquery in FROM must have an alias");
  const absl::string_view hint = no_alias ? "For example, FROM (SELECT ...) [AS] foo." : "";
  const SqlState state = StateOfMessage(message);
  return WithPosition(MakeError(state, text, hint), positions_.CharAt(byte));
}

absl::StatusOr<ParsedStatement::Tree> ParsedStatement::ParseText(const std::string& text) const {
  PgQueryProtobufParseResult result = pg_query_parse_protobuf(text.c_str());
  const auto release =
      absl::MakeCleanup([&result] { pg_query_free_protobuf_parse_result(result); });
  if (result.error != nullptr) {
    const int32_t byte = TextPositions(text).ByteAt(result.error->cursorpos);
    return SyntaxError(result.error->message, byte);
  }
  Tree tree(
      pg_query__parse_result__unpack(nullptr, result.parse_tree.len,
                                     reinterpret_cast<const uint8_t*>(result.parse_tree.data)),
      FreeTree);
  if (tree == nullptr) return InternalError("cannot read the parse tree");
  return tree;
}

absl::Status ParsedStatement::ParseMain() {
  MR_ASSIGN_OR_RETURN(tree_, ParseText(prepass_.text));
  if (tree_->n_stmts != 1 || tree_->stmts[0]->stmt == nullptr) {
    return MakeError(SqlState::kSyntaxError, "expected one statement");
  }
  root_ = tree_->stmts[0]->stmt;
  return absl::OkStatus();
}

// The expression alone, at its own place: blanks, SELECT right before it. "WATERMARK FOR" leaves
// room for the word.
absl::Status ParsedStatement::ParseWatermark() {
  constexpr absl::string_view kSelect = "SELECT ";
  const WatermarkClause& clause = *prepass_.watermark;
  std::string text(text_.substr(0, clause.expr_end));
  for (int32_t at = 0; at < clause.expr_begin; ++at) text[at] = ' ';
  text.replace(clause.expr_begin - kSelect.size(), kSelect.size(), kSelect.data(), kSelect.size());
  MR_ASSIGN_OR_RETURN(watermark_tree_, ParseText(text));
  const ParseNode* select =
      watermark_tree_->n_stmts == 1 ? watermark_tree_->stmts[0]->stmt : nullptr;
  const bool one_expr = IsNode(select, PG_QUERY__NODE__NODE_SELECT_STMT) &&
                        select->select_stmt->n_target_list == 1 &&
                        select->select_stmt->n_from_clause == 0;
  if (!one_expr) {
    return SyntaxError("the watermark is not an expression", clause.expr_begin);
  }
  watermark_expr_ = select->select_stmt->target_list[0]->res_target->val;
  return absl::OkStatus();
}

int32_t ParsedStatement::FindWord(absl::string_view word, int32_t from) const {
  for (const SqlToken& token : prepass_.tokens) {
    if (token.begin >= from && token.IsWord(word)) return token.begin;
  }
  return -1;
}

int32_t ParsedStatement::FindName(absl::string_view name) const {
  for (size_t i = 1; i < prepass_.tokens.size(); ++i) {
    const SqlToken& token = prepass_.tokens[i];
    if (token.IsName() && token.Name() == name) return token.begin;
  }
  return -1;
}

int32_t ParsedStatement::FindBareAlias(absl::string_view word, int32_t from) const {
  const std::vector<SqlToken>& tokens = prepass_.tokens;
  for (size_t i = 1; i < tokens.size(); ++i) {
    const bool found = tokens[i].begin >= from && tokens[i].IsWord(word);
    if (found && EndsOperand(tokens[i - 1])) return tokens[i].begin;
  }
  return -1;
}

}  // namespace millrace
