#include "coordinator/sql/prepass_rewriter.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// Stands where a file's literal or an option key was; the two quotes of an empty literal are long
// enough for it.
constexpr absl::string_view kPlaceholder = "_f";
constexpr absl::string_view kKeyPlaceholder = "k";

// Words that end a FROM clause.
bool EndsFrom(const SqlToken& token) {
  static constexpr const char* kWords[] = {"where",  "group",     "having", "window", "order",
                                           "limit",  "offset",    "fetch",  "union",  "for",
                                           "except", "intersect", "select"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](const char* word) { return token.IsWord(word); });
}

bool IsWindowFunction(const SqlToken& token) {
  static constexpr const char* kWords[] = {"tumble", "hop", "cumulate", "session"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](const char* word) { return token.IsWord(word); });
}

// One level of parentheses.
struct Level {
  // A SELECT began here, so FROM is its clause and not part of EXTRACT or TRIM.
  bool has_select = false;
  bool in_from = false;
  bool window_function = false;
  bool options = false;
  bool column_list = false;
};

class BodyRewriter {
 public:
  BodyRewriter(PrepassText& text, size_t first) : text_(text), first_(first) {}
  absl::Status Run();

 private:
  Level& level() { return levels_.back(); }
  void Open(size_t i);
  absl::Status Word(size_t i);
  // What begins an element of a list: the token behind "(" or ",".
  absl::Status ElementStart(size_t i);
  absl::Status FileAt(size_t i);
  absl::Status Epoch(size_t as);
  absl::Status Descriptor(size_t i);
  absl::Status OptionKey(size_t i);
  absl::Status Watermark(size_t i);

  PrepassText& text_;
  const size_t first_;
  std::vector<Level> levels_ = {Level{}};
  bool in_definition_ = false;
};

absl::Status BodyRewriter::Run() {
  in_definition_ = text_.WordAt(first_, "create");
  for (size_t i = first_; i < text_.size(); ++i) {
    if (text_.SymbolAt(i, "(")) {
      Open(i);
      MR_RETURN_IF_ERROR(ElementStart(i + 1));
    } else if (text_.SymbolAt(i, ")")) {
      if (levels_.size() > 1) levels_.pop_back();
    } else if (text_.SymbolAt(i, ",")) {
      MR_RETURN_IF_ERROR(ElementStart(i + 1));
    } else if (text_.SymbolAt(i, "=>") && level().window_function) {
      if (text_.WordAt(i + 1, "table")) text_.Put(i + 1, "");
    } else if (text_.KindAt(i, TokenKind::kWord)) {
      MR_RETURN_IF_ERROR(Word(i));
    }
  }
  return absl::OkStatus();
}

void BodyRewriter::Open(size_t i) {
  Level opened;
  if (i > first_) {
    const SqlToken& before = text_.token(i - 1);
    opened.window_function = IsWindowFunction(before);
    opened.options = before.IsWord("with");
    opened.column_list = in_definition_ && levels_.size() == 1 && before.IsName();
    opened.in_from = level().in_from && (before.IsWord("from") || before.IsWord("join") ||
                                         before.IsSymbol(",") || before.IsSymbol("("));
  }
  levels_.push_back(opened);
}

absl::Status BodyRewriter::ElementStart(size_t i) {
  if (level().in_from) MR_RETURN_IF_ERROR(FileAt(i));
  if (level().window_function && text_.WordAt(i, "table")) text_.Put(i, "");
  if (level().options) return OptionKey(i);
  if (level().column_list && text_.WordAt(i, "watermark") && text_.WordAt(i + 1, "for")) {
    return Watermark(i);
  }
  return absl::OkStatus();
}

absl::Status BodyRewriter::Word(size_t i) {
  const SqlToken& token = text_.token(i);
  if (token.IsWord("select")) {
    level().has_select = true;
    level().in_from = false;
  } else if (token.IsWord("values")) {
    // FROM (VALUES ('a'), …): its strings are values, not files.
    level().in_from = false;
  } else if (token.IsWord("from")) {
    const bool distinct_from = i > first_ && text_.token(i - 1).IsWord("distinct");
    if (level().has_select && !distinct_from) {
      level().in_from = true;
      return FileAt(i + 1);
    }
  } else if (token.IsWord("join") && level().in_from) {
    return FileAt(i + 1);
  } else if (token.IsWord("for") && text_.WordAt(i + 1, "system_time")) {
    return text_.Unsupported(i, "FOR SYSTEM_TIME AS OF");
  } else if (EndsFrom(token)) {
    level().in_from = false;
  } else if (token.IsWord("as") && text_.WordAt(i + 1, "of") && text_.WordAt(i + 2, "epoch")) {
    return Epoch(i);
  } else if (token.IsWord("descriptor") && level().window_function) {
    return Descriptor(i);
  }
  return absl::OkStatus();
}

absl::Status BodyRewriter::FileAt(size_t i) {
  if (!text_.KindAt(i, TokenKind::kString)) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(std::string path, StringTokenValue(text_.token(i)));
  text_.result().files[text_.token(i).begin] = std::move(path);
  text_.Put(i, kPlaceholder);
  return absl::OkStatus();
}

absl::Status BodyRewriter::Epoch(size_t as) {
  constexpr size_t kNumWords = 3;
  const size_t number = as + kNumWords;
  uint64_t epoch = 0;
  if (!text_.KindAt(number, TokenKind::kNumber) ||
      !absl::SimpleAtoi(text_.token(number).text, &epoch)) {
    return WithHint(text_.SyntaxErrorAt(number), "Write AS OF EPOCH with a number.");
  }
  if (as == first_ || !text_.NameAt(as - 1)) return text_.SyntaxErrorAt(as);
  size_t name = as - 1;
  while (name >= first_ + 2 && text_.SymbolAt(name - 1, ".") && text_.NameAt(name - 2)) name -= 2;
  text_.result().epochs[text_.token(name).begin] = epoch;
  text_.Blank(text_.token(as).begin, text_.token(number).end);
  return absl::OkStatus();
}

absl::Status BodyRewriter::Descriptor(size_t i) {
  constexpr size_t kClose = 3;
  if (!text_.SymbolAt(i + 1, "(")) return absl::OkStatus();
  if (!text_.NameAt(i + 2)) return text_.SyntaxErrorAt(i + 2);
  if (!text_.SymbolAt(i + kClose, ")")) return text_.SyntaxErrorAt(i + kClose);
  text_.Put(i, "");
  text_.Put(i + 1, "");
  text_.Put(i + kClose, "");
  return absl::OkStatus();
}

absl::Status BodyRewriter::OptionKey(size_t i) {
  if (text_.KindAt(i, TokenKind::kString) && text_.SymbolAt(i + 1, "=")) {
    MR_ASSIGN_OR_RETURN(std::string key, StringTokenValue(text_.token(i)));
    text_.result().option_keys[text_.token(i).begin] = absl::AsciiStrToLower(key);
    text_.Put(i, kKeyPlaceholder);
    return absl::OkStatus();
  }
  if (!text_.NameAt(i) || !text_.SymbolAt(i + 1, ".")) return absl::OkStatus();
  std::string key = text_.token(i).Name();
  size_t last = i;
  while (text_.SymbolAt(last + 1, ".")) {
    if (!text_.NameAt(last + 2)) return text_.SyntaxErrorAt(last + 2);
    last += 2;
    absl::StrAppend(&key, ".", text_.token(last).Name());
  }
  text_.result().option_keys[text_.token(i).begin] = std::move(key);
  text_.Blank(text_.token(i + 1).begin, text_.token(last).end);
  text_.Put(i, kKeyPlaceholder);
  return absl::OkStatus();
}

// The clause is blanked with the comma behind it, or, at the end of the list, with the one before
// it.
absl::Status BodyRewriter::Watermark(size_t i) {
  if (text_.result().watermark.has_value()) return text_.SyntaxErrorAt(i);
  const size_t column = i + 2;
  if (!text_.NameAt(column)) return text_.SyntaxErrorAt(column);
  if (!text_.WordAt(column + 1, "as")) return text_.SyntaxErrorAt(column + 1);
  const size_t first = column + 2;
  size_t end = first;
  int depth = 0;
  for (; end < text_.size(); ++end) {
    if (depth == 0 && (text_.SymbolAt(end, ",") || text_.SymbolAt(end, ")"))) break;
    if (text_.SymbolAt(end, "(")) ++depth;
    if (text_.SymbolAt(end, ")")) --depth;
  }
  if (end == text_.size() || end == first) return text_.SyntaxErrorAt(end);
  WatermarkClause clause;
  clause.column = text_.token(column).Name();
  clause.column_begin = text_.token(column).begin;
  clause.expr_begin = text_.token(first).begin;
  clause.expr_end = text_.token(end - 1).end;
  text_.Blank(text_.token(i).begin, clause.expr_end);
  if (text_.SymbolAt(end, ",")) {
    text_.Put(end, "");
  } else if (text_.SymbolAt(i - 1, ",")) {
    text_.Put(i - 1, "");
  }
  text_.result().watermark = std::move(clause);
  return absl::OkStatus();
}

}  // namespace

void PrepassText::Blank(int32_t begin, int32_t end) {
  for (int32_t at = begin; at < end; ++at) result_.text[at] = ' ';
}

void PrepassText::Put(size_t i, absl::string_view word) {
  const SqlToken& replaced = token(i);
  MR_CHECK(word.size() <= replaced.text.size());
  Blank(replaced.begin, replaced.end);
  result_.text.replace(replaced.begin, word.size(), word.data(), word.size());
}

absl::Status PrepassText::SyntaxErrorAt(size_t i) const {
  if (i >= size()) {
    return WithPosition(MakeError(SqlState::kSyntaxError, "syntax error at end of input"),
                        static_cast<int32_t>(result_.text.size()) + 1);
  }
  return WithPosition(MakeError(SqlState::kSyntaxError,
                                absl::StrCat("syntax error at or near \"", token(i).text, "\"")),
                      token(i).begin + 1);
}

absl::Status PrepassText::Unsupported(size_t i, absl::string_view what) const {
  return WithPosition(NotSupported(what), token(i).begin + 1);
}

absl::Status RewriteBody(PrepassText& text, size_t first) {
  return BodyRewriter(text, first).Run();
}

}  // namespace millrace
