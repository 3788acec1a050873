#include <re2/re2.h>

#include <vector>

#include "common/base/status.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"
#include "common/expr/regex_pattern.h"
#include "common/types/utf8.h"

// ~ and its like, and the regexp functions.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

re2::StringPiece Piece(string_view text) { return re2::StringPiece(text.data(), text.size()); }
string_view View(re2::StringPiece piece) { return string_view(piece.data(), piece.size()); }

// The expression that was used last; nearly always there is one only.
class RegexState : public KernelState {
 public:
  absl::StatusOr<const re2::RE2*> Get(string_view pattern, const RegexFlags& flags) {
    const bool same = regex_ != nullptr && pattern == pattern_ &&
                      flags.ignore_case == flags_.ignore_case && flags.literal == flags_.literal &&
                      flags.lines == flags_.lines;
    if (!same) {
      MR_ASSIGN_OR_RETURN(regex_, CompileRegex(pattern, flags));
      pattern_ = std::string(pattern);
      flags_ = flags;
    }
    return regex_.get();
  }

 private:
  std::string pattern_;
  RegexFlags flags_;
  std::unique_ptr<re2::RE2> regex_;
};

RegexState* GetState(const KernelCall& call) {
  if (*call.state == nullptr) *call.state = std::make_unique<RegexState>();
  return static_cast<RegexState*>(call.state->get());
}

template <bool kNegated, bool kIgnoreCase>
ArrayOr Match(const KernelCall& call) {
  RegexState* state = GetState(call);
  RegexFlags flags;
  flags.ignore_case = kIgnoreCase;
  return MapRows<bool, string_view, string_view>(
      call, [&](string_view text, string_view pattern, bool* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const re2::RE2* regex, state->Get(pattern, flags));
        *out = re2::RE2::PartialMatch(Piece(text), *regex) != kNegated;
        return absl::OkStatus();
      });
}

ArrayOr RegexpLikeFlags(const KernelCall& call) {
  RegexState* state = GetState(call);
  return MapRows<bool, string_view, string_view, string_view>(
      call,
      [&](string_view text, string_view pattern, string_view letters, bool* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const RegexFlags flags, ParseRegexFlags(letters));
        MR_ASSIGN_OR_RETURN(const re2::RE2* regex, state->Get(pattern, flags));
        *out = re2::RE2::PartialMatch(Piece(text), *regex);
        return absl::OkStatus();
      });
}

// \1 to \9 are groups, \& the whole match, \\ a backslash.
void AppendReplacement(string_view replacement, const std::vector<re2::StringPiece>& groups,
                       std::string* out) {
  for (size_t i = 0; i < replacement.size(); ++i) {
    if (replacement[i] != '\\' || i + 1 == replacement.size()) {
      out->push_back(replacement[i]);
      continue;
    }
    const char next = replacement[++i];
    size_t group = groups.size();
    if (next == '&') group = 0;
    if (next >= '1' && next <= '9') group = static_cast<size_t>(next - '0');
    if (group < groups.size()) {
      out->append(groups[group].data(), groups[group].size());
    } else if (next == '\\') {
      out->push_back('\\');
    } else if (next < '1' || next > '9') {
      out->push_back('\\');
      out->push_back(next);
    }
  }
}

void ReplaceMatches(string_view text, const re2::RE2& regex, string_view replacement, bool global,
                    std::string* out) {
  std::vector<re2::StringPiece> groups(static_cast<size_t>(regex.NumberOfCapturingGroups()) + 1);
  size_t copied = 0;
  size_t at = 0;
  while (at <= text.size() && regex.Match(Piece(text), at, text.size(), re2::RE2::UNANCHORED,
                                          groups.data(), static_cast<int>(groups.size()))) {
    const auto begin = static_cast<size_t>(groups[0].data() - text.data());
    out->append(text.data() + copied, begin - copied);
    AppendReplacement(replacement, groups, out);
    copied = begin + groups[0].size();
    if (!global) break;
    // An empty match must not be found again.
    at = groups[0].empty() && copied < text.size() ? copied + CharLength(text, copied)
         : groups[0].empty()                       ? copied + 1
                                                   : copied;
  }
  if (copied < text.size()) out->append(text.data() + copied, text.size() - copied);
}

ArrayOr RegexpReplace(const KernelCall& call) {
  RegexState* state = GetState(call);
  const auto replace = [&](string_view text, string_view pattern, string_view replacement,
                           std::string* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const re2::RE2* regex, state->Get(pattern, RegexFlags()));
    ReplaceMatches(text, *regex, replacement, /*global=*/false, out);
    return absl::OkStatus();
  };
  return MapRows<std::string, string_view, string_view, string_view>(call, replace);
}

ArrayOr RegexpReplaceFlags(const KernelCall& call) {
  RegexState* state = GetState(call);
  const auto replace = [&](string_view text, string_view pattern, string_view replacement,
                           string_view letters, std::string* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const RegexFlags flags, ParseRegexFlags(letters));
    MR_ASSIGN_OR_RETURN(const re2::RE2* regex, state->Get(pattern, flags));
    ReplaceMatches(text, *regex, replacement, flags.global, out);
    return absl::OkStatus();
  };
  return MapRows<std::string, string_view, string_view, string_view, string_view>(call, replace);
}

// substring(text FROM pattern): the first group if there is one, otherwise the match; NULL without
// a match.
template <bool kFirstGroup>
ArrayOr RegexpSubstring(const KernelCall& call) {
  RegexState* state = GetState(call);
  absl::Status error;
  const auto find = [&](string_view text, string_view pattern, std::string* out) {
    const auto regex = state->Get(pattern, RegexFlags());
    if (!regex.ok()) {
      error.Update(regex.status());
      return false;
    }
    re2::StringPiece groups[2];
    const int wanted = kFirstGroup && (*regex)->NumberOfCapturingGroups() > 0 ? 1 : 0;
    const bool found =
        (*regex)->Match(Piece(text), 0, text.size(), re2::RE2::UNANCHORED, groups, wanted + 1);
    if (!found || groups[wanted].data() == nullptr) return false;
    const string_view match = View(groups[wanted]);
    out->append(match.data(), match.size());
    return true;
  };
  auto result = MapRows<std::string, string_view, string_view>(call, find);
  if (!error.ok()) return error;
  return result;
}

ArrayOr RegexpCount(const KernelCall& call) {
  RegexState* state = GetState(call);
  const auto count = [&](string_view text, string_view pattern, int32_t* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const re2::RE2* regex, state->Get(pattern, RegexFlags()));
    re2::StringPiece match;
    *out = 0;
    for (size_t at = 0; at <= text.size() && regex->Match(Piece(text), at, text.size(),
                                                          re2::RE2::UNANCHORED, &match, 1);) {
      ++*out;
      at = static_cast<size_t>(match.data() - text.data()) + std::max<size_t>(match.size(), 1);
    }
    return absl::OkStatus();
  };
  return MapRows<int32_t, string_view, string_view>(call, count);
}

ArrayOr SimilarToEscape(const KernelCall& call) {
  const auto translate = [](string_view pattern, string_view escape,
                            std::string* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const std::string regex, SimilarToRegex(pattern, escape));
    out->append(regex);
    return absl::OkStatus();
  };
  return MapRows<std::string, string_view, string_view>(call, translate);
}

ArrayOr SimilarTo(const KernelCall& call) {
  const auto translate = [](string_view pattern, std::string* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const std::string regex, SimilarToRegex(pattern, "\\"));
    out->append(regex);
    return absl::OkStatus();
  };
  return MapRows<std::string, string_view>(call, translate);
}

}  // namespace

void AddRegexFunctions(FunctionTable* table) {
  const uint8_t costly = kFallible | kCostly;
  table->Add("regex(text,text)->bool", Match<false, false>, "matches", costly);
  table->Add("not_regex(text,text)->bool", Match<true, false>, "does not match", costly);
  table->Add("iregex(text,text)->bool", Match<false, true>, "matches in any case", costly);
  table->Add("not_iregex(text,text)->bool", Match<true, true>, "does not match in any case",
             costly);
  table->Add("regexp_like(text,text)->bool", Match<false, false>,
             "whether a regular expression matches", costly);
  table->Add("regexp_like(text,text,text)->bool", RegexpLikeFlags,
             "whether a regular expression matches", costly);
  table->Add("regexp_replace(text,text,text)->text", RegexpReplace, "first match replaced", costly);
  table->Add("regexp_replace(text,text,text,text)->text", RegexpReplaceFlags,
             "first match, or with flag g every match, replaced", costly);
  table->Add("substring(text,text)->text", RegexpSubstring<true>,
             "what a regular expression, or its first group, matches", costly);
  table->Add("regexp_substr(text,text)->text", RegexpSubstring<false>,
             "what a regular expression matches", costly);
  table->Add("regexp_count(text,text)->int4", RegexpCount, "number of matches", costly);
  table->Add("similar_to_escape(text)->text", SimilarTo,
             "a SIMILAR TO pattern as regular expression", costly);
  table->Add("similar_to_escape(text,text)->text", SimilarToEscape,
             "a SIMILAR TO pattern as regular expression", costly);
}

}  // namespace millrace
