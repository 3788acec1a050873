#include "coordinator/sql/prepass.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/sql/prepass_rewriter.h"
#include "coordinator/sql/statement_limits.h"

namespace millrace {
namespace {

// The statement's first words, and EMIT at its end.
class HeadRewriter {
 public:
  explicit HeadRewriter(PrepassText& text) : text_(text) {}

  // The index of the first token that is left for the body.
  absl::StatusOr<size_t> Run();

 private:
  absl::StatusOr<size_t> CutExplain();
  absl::Status ReadExplainOptions(size_t open, size_t* close);
  absl::Status SetExplainOption(const SqlToken& key, const SqlToken* value);
  absl::Status CutSubscribe(size_t first);
  absl::Status ReadSubscribeOptions(size_t open);
  absl::Status RewriteObjectWords(size_t first);
  absl::Status CutEmit(size_t first);

  PrepassText& text_;
};

absl::StatusOr<size_t> HeadRewriter::Run() {
  size_t first = 0;
  if (text_.WordAt(0, "explain")) {
    MR_ASSIGN_OR_RETURN(first, CutExplain());
  }
  if (text_.WordAt(first, "verify")) return text_.Unsupported(first, "VERIFY");
  Prepass& result = text_.result();
  if (text_.WordAt(first, "flush")) {
    if (first + 1 < text_.size()) return text_.SyntaxErrorAt(first + 1);
    result.head = StatementHead::kFlush;
    text_.Blank(text_.token(first).begin, text_.token(first).end);
  } else if (text_.WordAt(first, "subscribe")) {
    MR_RETURN_IF_ERROR(CutSubscribe(first));
  } else if (text_.WordAt(first, "describe")) {
    if (first + 1 >= text_.size()) return text_.SyntaxErrorAt(first + 1);
    result.head = StatementHead::kDescribe;
    text_.Put(first, "TABLE");
  } else {
    MR_RETURN_IF_ERROR(RewriteObjectWords(first));
  }
  MR_RETURN_IF_ERROR(CutEmit(first));
  return first;
}

absl::StatusOr<size_t> HeadRewriter::CutExplain() {
  Prepass& result = text_.result();
  result.explain = true;
  size_t next = 1;
  if (text_.SymbolAt(next, "(") && !text_.WordAt(next + 1, "select") &&
      !text_.WordAt(next + 1, "values") && !text_.WordAt(next + 1, "with") &&
      !text_.SymbolAt(next + 1, "(")) {
    size_t close = next;
    MR_RETURN_IF_ERROR(ReadExplainOptions(next, &close));
    next = close + 1;
  } else if (text_.WordAt(next, "analyze") || text_.WordAt(next, "analyse")) {
    result.analyze = true;
    ++next;
  }
  if (text_.WordAt(next, "verbose")) return text_.Unsupported(next, "EXPLAIN VERBOSE");
  if (next >= text_.size() || text_.WordAt(next, "explain")) return text_.SyntaxErrorAt(next);
  text_.Blank(text_.token(0).begin, text_.token(next - 1).end);
  return next;
}

absl::Status HeadRewriter::ReadExplainOptions(size_t open, size_t* close) {
  size_t i = open + 1;
  while (true) {
    if (i >= text_.size() || text_.token(i).kind != TokenKind::kWord) return text_.SyntaxErrorAt(i);
    const SqlToken& key = text_.token(i++);
    const SqlToken* value = nullptr;
    if (i < text_.size() && !text_.SymbolAt(i, ",") && !text_.SymbolAt(i, ")")) {
      value = &text_.token(i++);
    }
    MR_RETURN_IF_ERROR(SetExplainOption(key, value));
    if (text_.SymbolAt(i, ")")) break;
    if (!text_.SymbolAt(i, ",")) return text_.SyntaxErrorAt(i);
    ++i;
  }
  *close = i;
  return absl::OkStatus();
}

absl::Status HeadRewriter::SetExplainOption(const SqlToken& key, const SqlToken* value) {
  Prepass& result = text_.result();
  std::string word = value == nullptr ? "true" : absl::AsciiStrToLower(value->text);
  if (value != nullptr && value->kind == TokenKind::kString) {
    MR_ASSIGN_OR_RETURN(word, StringTokenValue(*value));
  }
  const int32_t position = key.begin + 1;
  if (key.IsWord("format")) {
    if (word != "text" && word != "json") {
      return WithPosition(NotSupported(absl::StrCat("EXPLAIN format \"", word, "\"")), position);
    }
    result.json = word == "json";
    return absl::OkStatus();
  }
  bool on = false;
  if (word == "on") {
    on = true;
  } else if (word != "off" && !absl::SimpleAtob(word, &on)) {
    return WithPosition(
        MakeError(SqlState::kSyntaxError, absl::StrCat(key.text, " requires a Boolean value")),
        position);
  }
  if (key.IsWord("analyze") || key.IsWord("analyse")) {
    result.analyze = on;
    return absl::OkStatus();
  }
  for (const char* known :
       {"verbose", "costs", "settings", "buffers", "wal", "timing", "summary"}) {
    if (!key.IsWord(known)) continue;
    if (!on) return absl::OkStatus();
    return WithPosition(NotSupported(absl::StrCat("EXPLAIN option ", absl::AsciiStrToUpper(known))),
                        position);
  }
  return WithPosition(MakeError(SqlState::kSyntaxError,
                                absl::StrCat("unrecognized EXPLAIN option \"", key.Name(), "\"")),
                      position);
}

absl::Status HeadRewriter::CutSubscribe(size_t first) {
  if (!text_.WordAt(first + 1, "to")) return text_.SyntaxErrorAt(first + 1);
  if (first + 2 >= text_.size()) return text_.SyntaxErrorAt(first + 2);
  text_.result().head = StatementHead::kSubscribe;
  text_.Put(first, "TABLE");
  text_.Blank(text_.token(first + 1).begin, text_.token(first + 1).end);
  for (size_t i = first + 3; i < text_.size(); ++i) {
    if (!text_.WordAt(i, "with")) continue;
    if (!text_.SymbolAt(i + 1, "(")) return text_.SyntaxErrorAt(i + 1);
    MR_RETURN_IF_ERROR(ReadSubscribeOptions(i + 1));
    text_.Blank(text_.token(i).begin, text_.token(text_.size() - 1).end);
    break;
  }
  return absl::OkStatus();
}

// ( key = constant, … ), which ends the statement.
absl::Status HeadRewriter::ReadSubscribeOptions(size_t open) {
  size_t i = open + 1;
  while (true) {
    SubscribeOption option;
    if (!text_.NameAt(i) && !text_.KindAt(i, TokenKind::kString)) return text_.SyntaxErrorAt(i);
    if (!text_.SymbolAt(i + 1, "=")) return text_.SyntaxErrorAt(i + 1);
    const bool constant = text_.KindAt(i + 2, TokenKind::kString) ||
                          text_.KindAt(i + 2, TokenKind::kNumber) ||
                          text_.KindAt(i + 2, TokenKind::kWord);
    if (!constant) return text_.SyntaxErrorAt(i + 2);
    const SqlToken& key = text_.token(i);
    const SqlToken& value = text_.token(i + 2);
    option.key = key.IsName() ? key.Name() : std::string();
    if (!key.IsName()) {
      MR_ASSIGN_OR_RETURN(option.key, StringTokenValue(key));
    }
    option.value = absl::AsciiStrToLower(value.text);
    if (value.kind == TokenKind::kString) {
      MR_ASSIGN_OR_RETURN(option.value, StringTokenValue(value));
    }
    option.key_begin = key.begin;
    option.value_begin = value.begin;
    text_.result().subscribe_options.push_back(std::move(option));
    i += 3;
    if (text_.SymbolAt(i, ")")) break;
    if (!text_.SymbolAt(i, ",")) return text_.SyntaxErrorAt(i);
    ++i;
  }
  if (i + 1 != text_.size()) return text_.SyntaxErrorAt(i + 1);
  return absl::OkStatus();
}

absl::Status HeadRewriter::RewriteObjectWords(size_t first) {
  const bool create = text_.WordAt(first, "create");
  if (!create && !text_.WordAt(first, "drop")) return absl::OkStatus();
  size_t object = first + 1;
  const bool replace = create && text_.WordAt(object, "or") && text_.WordAt(object + 1, "replace");
  if (replace) object += 2;
  if (text_.WordAt(object, "sink")) {
    return WithHint(
        text_.Unsupported(object, create ? "CREATE SINK" : "DROP SINK"),
        "A target is defined by CREATE TABLE … WITH (connector = …) and filled by INSERT.");
  }
  constexpr std::pair<const char*, const char*> kNotReplaced[] = {
      {"materialized", "MATERIALIZED VIEW"}, {"table", "TABLE"}, {"source", "SOURCE"}};
  for (const auto& [word, noun] : kNotReplaced) {
    if (replace && text_.WordAt(object, word)) {
      return WithHint(text_.Unsupported(first, absl::StrCat("CREATE OR REPLACE ", noun)),
                      "Drop it first, then create it.");
    }
  }
  if (text_.WordAt(object, "source")) {
    text_.result().head = StatementHead::kSource;
    text_.Put(object, "TABLE");
  }
  return absl::OkStatus();
}

absl::Status HeadRewriter::CutEmit(size_t first) {
  for (size_t i = first; i + 3 < text_.size(); ++i) {
    const bool found = text_.WordAt(i, "emit") && text_.WordAt(i + 1, "on") &&
                       text_.WordAt(i + 2, "window") && text_.WordAt(i + 3, "close");
    if (!found) continue;
    if (i + 4 != text_.size()) {
      return WithHint(text_.SyntaxErrorAt(i),
                      "EMIT ON WINDOW CLOSE stands at the end of the statement.");
    }
    text_.result().emit_begin = text_.token(i).begin;
    text_.Blank(text_.token(i).begin, text_.token(i + 3).end);
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Prepass> RunPrepass(absl::string_view sql, std::vector<SqlToken> tokens) {
  Prepass result;
  result.text = std::string(sql);
  result.tokens = std::move(tokens);
  for (const SqlToken& token : result.tokens) {
    // The escapes of U&"…" are longer than what they stand for.
    const bool escaped = token.kind == TokenKind::kQuoted && token.text.front() != '"';
    if (!token.IsName() || escaped || token.Name().size() <= kMaxIdentifierBytes) continue;
    return WithPosition(
        MakeError(SqlState::kNameTooLong,
                  absl::StrCat("identifier \"", token.Name(), "\" is too long"),
                  absl::StrCat("Names have at most ", kMaxIdentifierBytes, " bytes.")),
        token.begin + 1);
  }
  PrepassText text(result);
  MR_ASSIGN_OR_RETURN(const size_t first, HeadRewriter(text).Run());
  // Of a subscription nothing is left but a name.
  if (result.head != StatementHead::kSubscribe) MR_RETURN_IF_ERROR(RewriteBody(text, first));
  return result;
}

}  // namespace millrace
