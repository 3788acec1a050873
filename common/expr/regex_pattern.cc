#include "common/expr/regex_pattern.h"

#include <re2/re2.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

// Escapes that RE2 writes differently.
absl::string_view TranslateEscape(char c) {
  switch (c) {
    case 'y':
    case 'm':
    case 'M':
      return "\\b";
    case 'Y':
      return "\\B";
    case 'Z':
      return "\\z";
    default:
      return "";
  }
}

bool IsNonGreedy(absl::string_view pattern) {
  return absl::StrContains(pattern, "*?") || absl::StrContains(pattern, "+?") ||
         absl::StrContains(pattern, "??") || absl::StrContains(pattern, "}?");
}

absl::StatusOr<std::string> Translate(absl::string_view pattern) {
  for (absl::string_view look : {"(?=", "(?!", "(?<=", "(?<!"}) {
    if (absl::StrContains(pattern, look)) {
      return NotSupported("look-around in a regular expression");
    }
  }
  // "***:" announces what is the default anyway.
  if (absl::StartsWith(pattern, "***:")) pattern.remove_prefix(4);
  std::string out;
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '\\' || at + 1 == pattern.size()) {
      out.push_back(pattern[at]);
      continue;
    }
    const char next = pattern[++at];
    if (next >= '1' && next <= '9') return NotSupported("a back reference in a regular expression");
    const absl::string_view translated = TranslateEscape(next);
    if (translated.empty()) {
      out.push_back('\\');
      out.push_back(next);
    } else {
      absl::StrAppend(&out, translated);
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<RegexFlags> ParseRegexFlags(absl::string_view flags) {
  RegexFlags result;
  for (char flag : flags) {
    switch (flag) {
      case 'g':
        result.global = true;
        break;
      case 'i':
        result.ignore_case = true;
        break;
      case 'c':
        result.ignore_case = false;
        break;
      case 'q':
        result.literal = true;
        break;
      case 'n':
      case 'm':
        result.lines = true;
        break;
      case 's':
        result.lines = false;
        break;
      case 't':
        break;
      case 'b':
      case 'e':
      case 'p':
      case 'w':
      case 'x':
        return NotSupported(
            absl::StrCat("regular expression option \"", std::string(1, flag), "\""));
      default:
        return MakeError(
            SqlState::kInvalidParameterValue,
            absl::StrCat("invalid regular expression option: \"", std::string(1, flag), "\""));
    }
  }
  return result;
}

absl::StatusOr<std::unique_ptr<re2::RE2>> CompileRegex(absl::string_view pattern,
                                                       const RegexFlags& flags) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(!flags.ignore_case);
  options.set_literal(flags.literal);
  options.set_dot_nl(!flags.lines);
  std::string text(pattern);
  if (!flags.literal) {
    MR_ASSIGN_OR_RETURN(text, Translate(pattern));
    options.set_longest_match(!IsNonGreedy(pattern));
    // Lines are an option of RE2's POSIX syntax only; as a group it works in ours.
    if (flags.lines) text = absl::StrCat("(?m:", text, ")");
  }
  auto regex = std::make_unique<re2::RE2>(text, options);
  if (!regex->ok()) {
    return MakeError(SqlState::kInvalidRegularExpression,
                     absl::StrCat("invalid regular expression: ", regex->error()));
  }
  return regex;
}

absl::StatusOr<std::string> SimilarToRegex(absl::string_view pattern, absl::string_view escape) {
  if (CountChars(escape) > 1) {
    return MakeError(SqlState::kInvalidEscapeSequence, "invalid escape string",
                     "Escape string must be empty or one character.");
  }
  std::string out = "^(?:";
  bool in_brackets = false;
  for (size_t at = 0; at < pattern.size();) {
    const absl::string_view c = pattern.substr(at, CharLength(pattern, at));
    at += c.size();
    if (c == escape && at < pattern.size()) {
      const absl::string_view next = pattern.substr(at, CharLength(pattern, at));
      absl::StrAppend(&out, "\\", next);
      at += next.size();
    } else if (in_brackets) {
      in_brackets = c != "]";
      absl::StrAppend(&out, c == "\\" ? "\\\\" : c);
    } else if (c == "[") {
      in_brackets = true;
      out.push_back('[');
    } else if (c == "%") {
      out.append(".*");
    } else if (c == "_") {
      out.push_back('.');
    } else if (c == "(") {
      out.append("(?:");
    } else if (c == "." || c == "^" || c == "$" || c == "\\") {
      absl::StrAppend(&out, "\\", c);
    } else {
      out.append(c.data(), c.size());
    }
  }
  out.append(")$");
  return out;
}

}  // namespace millrace
