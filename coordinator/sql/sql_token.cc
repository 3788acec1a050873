#include "coordinator/sql/sql_token.h"

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status.h"
#include "pg_query.h"
#include "pg_query/pg_query.pb-c.h"

namespace millrace {
namespace {

struct FreeScan {
  void operator()(PgQuery__ScanResult* scan) const {
    pg_query__scan_result__free_unpacked(scan, nullptr);
  }
};

TokenKind KindOf(PgQuery__Token token, absl::string_view text) {
  switch (token) {
    case PG_QUERY__TOKEN__SCONST:
    case PG_QUERY__TOKEN__USCONST:
      return TokenKind::kString;
    case PG_QUERY__TOKEN__BCONST:
    case PG_QUERY__TOKEN__XCONST:
      return TokenKind::kOther;
    case PG_QUERY__TOKEN__ICONST:
    case PG_QUERY__TOKEN__FCONST:
      return TokenKind::kNumber;
    case PG_QUERY__TOKEN__PARAM:
      return TokenKind::kParameter;
    case PG_QUERY__TOKEN__UIDENT:
      return TokenKind::kQuoted;
    default:
      break;
  }
  if (text.front() == '"') return TokenKind::kQuoted;
  const auto first = static_cast<unsigned char>(text.front());
  const bool is_word = absl::ascii_isalpha(first) || first == '_' || first >= 0x80;
  return is_word ? TokenKind::kWord : TokenKind::kSymbol;
}

// The end of a quoted token that begins at `begin`; quotes inside are doubled, and a text goes on
// in the next line if that begins with a quote. libpg_query gives U&'…' and U&"…" a wrong end.
int32_t EndOfQuoted(absl::string_view text, int32_t begin) {
  size_t at = text.find_first_of("'\"", begin);
  if (at == absl::string_view::npos) return static_cast<int32_t>(text.size());
  const char quote = text[at];
  while (true) {
    at = text.find(quote, at + 1);
    if (at == absl::string_view::npos) return static_cast<int32_t>(text.size());
    if (at + 1 < text.size() && text[at + 1] == quote) {
      ++at;
      continue;
    }
    const size_t next = text.find_first_not_of(" \t\r\n\f", at + 1);
    const bool goes_on = quote == '\'' && next != absl::string_view::npos && text[next] == quote &&
                         absl::StrContains(text.substr(at, next - at), '\n');
    if (!goes_on) return static_cast<int32_t>(at) + 1;
    at = next;
  }
}

absl::Status ScanError(const PgQueryError& error) {
  absl::Status status = MakeError(SqlState::kSyntaxError, error.message);
  return WithPosition(std::move(status), error.cursorpos);
}

}  // namespace

bool SqlToken::IsWord(absl::string_view word) const {
  return kind == TokenKind::kWord && absl::EqualsIgnoreCase(text, word);
}

std::string SqlToken::Name() const {
  if (kind != TokenKind::kQuoted || text.front() != '"') return absl::AsciiStrToLower(text);
  return absl::StrReplaceAll(text.substr(1, text.size() - 2), {{"\"\"", "\""}});
}

absl::StatusOr<std::vector<SqlToken>> ScanTokens(absl::string_view text) {
  const std::string terminated(text);
  PgQueryScanResult result = pg_query_scan(terminated.c_str());
  if (result.error != nullptr) {
    absl::Status status = ScanError(*result.error);
    pg_query_free_scan_result(result);
    return status;
  }
  std::unique_ptr<PgQuery__ScanResult, FreeScan> scan(pg_query__scan_result__unpack(
      nullptr, result.pbuf.len, reinterpret_cast<const uint8_t*>(result.pbuf.data)));
  pg_query_free_scan_result(result);
  if (scan == nullptr) return InternalError("cannot read the scanner's result");
  std::vector<SqlToken> tokens;
  tokens.reserve(scan->n_tokens);
  for (size_t i = 0; i < scan->n_tokens; ++i) {
    const PgQuery__ScanToken& from = *scan->tokens[i];
    if (from.token == PG_QUERY__TOKEN__SQL_COMMENT || from.token == PG_QUERY__TOKEN__C_COMMENT) {
      continue;
    }
    SqlToken token;
    token.begin = from.start;
    const bool unicode =
        from.token == PG_QUERY__TOKEN__USCONST || from.token == PG_QUERY__TOKEN__UIDENT;
    token.end = unicode ? EndOfQuoted(text, from.start) : from.end;
    token.text = text.substr(token.begin, token.end - token.begin);
    if (token.text.empty()) continue;
    token.kind = KindOf(from.token, token.text);
    tokens.push_back(token);
  }
  return tokens;
}

absl::StatusOr<std::string> StringTokenValue(const SqlToken& token) {
  const absl::string_view text = token.text;
  if (text.front() == '\'' && !absl::StrContains(text, '\n')) {
    return absl::StrReplaceAll(text.substr(1, text.size() - 2), {{"''", "'"}});
  }
  // The other forms have escapes and continuation lines of their own: PostgreSQL reads them best.
  const std::string query = absl::StrCat("SELECT ", text);
  PgQueryProtobufParseResult result = pg_query_parse_protobuf(query.c_str());
  if (result.error != nullptr) {
    absl::Status status = MakeError(SqlState::kSyntaxError, result.error->message);
    pg_query_free_protobuf_parse_result(result);
    return status;
  }
  PgQuery__ParseResult* tree = pg_query__parse_result__unpack(
      nullptr, result.parse_tree.len, reinterpret_cast<const uint8_t*>(result.parse_tree.data));
  pg_query_free_protobuf_parse_result(result);
  if (tree == nullptr) return InternalError("cannot read a string constant");
  const PgQuery__Node* target = tree->stmts[0]->stmt->select_stmt->target_list[0];
  std::string value = target->res_target->val->a_const->sval->sval;
  pg_query__parse_result__free_unpacked(tree, nullptr);
  return value;
}

}  // namespace millrace
