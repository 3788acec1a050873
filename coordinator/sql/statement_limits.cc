#include "coordinator/sql/statement_limits.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

// Words behind which an expression starts anew, at the same depth.
const absl::flat_hash_set<absl::string_view>& SeparatorWords() {
  static const auto* const kWords = new absl::flat_hash_set<absl::string_view>{
      "and",   "or",    "select", "from", "where", "group",  "having", "order",
      "limit", "when",  "then",   "else", "on",    "offset", "values", "set",
      "with",  "using", "window", "into", "by",    "as"};
  return *kWords;
}

// Words that put one more level around what is before or behind them.
const absl::flat_hash_set<absl::string_view>& DeepeningWords() {
  static const auto* const kWords = new absl::flat_hash_set<absl::string_view>{
      "not",     "is",      "isnull", "notnull", "like", "ilike",
      "similar", "collate", "at",     "between", "in"};
  return *kWords;
}

bool IsSetOperation(absl::string_view word) {
  return word == "union" || word == "intersect" || word == "except";
}

// Depth that one level of parentheses (or CASE … END) adds.
struct NestingLevel {
  // Operators since the last separator, joins since the last SELECT, set operations so far: their
  // trees lean to the left. Earlier stretches are siblings and do not count.
  int operators = 0;
  int joins = 0;
  int set_operations = 0;
  bool is_case = false;
};

class DepthEstimate {
 public:
  void Add(const SqlToken& token) {
    if (token.kind == TokenKind::kSymbol) return AddSymbol(token.text);
    if (token.kind == TokenKind::kWord) AddWord(absl::AsciiStrToLower(token.text));
  }
  int depth() const { return below_ + Own(levels_.back()); }

 private:
  static int Own(const NestingLevel& level) {
    return 1 + level.operators + level.joins + level.set_operations;
  }

  void Push(bool is_case) {
    below_ += Own(levels_.back());
    levels_.push_back(NestingLevel{0, 0, 0, is_case});
  }
  void Pop() {
    if (levels_.size() == 1) return;
    levels_.pop_back();
    below_ -= Own(levels_.back());
  }

  void AddSymbol(absl::string_view text) {
    if (text == "(" || text == "[") return Push(false);
    if (text == ")" || text == "]") return Pop();
    if (text == "," || text == ";") {
      levels_.back().operators = 0;
      return;
    }
    if (text != ".") ++levels_.back().operators;
  }

  void AddWord(const std::string& word) {
    if (word == "case") return Push(true);
    if (word == "end" && levels_.back().is_case) return Pop();
    NestingLevel& level = levels_.back();
    if (IsSetOperation(word)) {
      ++level.set_operations;
      level.operators = level.joins = 0;
    } else if (word == "join") {
      ++level.joins;
      level.operators = 0;
    } else if (SeparatorWords().contains(word)) {
      level.operators = 0;
    } else if (DeepeningWords().contains(word)) {
      ++level.operators;
    }
  }

  std::vector<NestingLevel> levels_ = {NestingLevel{}};
  // Sum over all levels but the last.
  int below_ = 0;
};

}  // namespace

absl::Status CheckStatementText(absl::string_view text) {
  if (text.size() > kMaxStatementBytes) {
    return MakeError(SqlState::kProgramLimitExceeded,
                     absl::StrCat("the statement is ", text.size(), " bytes long, the limit is ",
                                  kMaxStatementBytes));
  }
  if (IsValidText(text)) return absl::OkStatus();
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharLength(text, at);
    if (!IsValidText(text.substr(at, length))) {
      return MakeError(SqlState::kCharacterNotInRepertoire,
                       absl::StrFormat("invalid byte sequence for encoding \"UTF8\": 0x%02x",
                                       static_cast<unsigned char>(text[at])));
    }
    at += length;
  }
  return MakeError(SqlState::kCharacterNotInRepertoire, "the statement is not valid UTF-8");
}

absl::Status CheckListLength(size_t length, absl::string_view what) {
  if (length <= kMaxTargetColumns) return absl::OkStatus();
  return MakeError(SqlState::kTooManyColumns,
                   absl::StrCat(what, " can have at most ", kMaxTargetColumns, " entries"));
}

absl::Status CheckNesting(const std::vector<SqlToken>& tokens) {
  DepthEstimate estimate;
  for (const SqlToken& token : tokens) {
    estimate.Add(token);
    if (estimate.depth() > kMaxNesting) {
      return WithPosition(
          MakeError(SqlState::kStatementTooComplex,
                    absl::StrCat("the statement is nested more than ", kMaxNesting, " levels deep"),
                    "Write long chains as lists (IN, VALUES, concat), or split the statement."),
          token.begin + 1);
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace
