#include "common/expr/template_token.h"

#include "absl/strings/match.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

void AppendLiteral(absl::string_view text, std::vector<TemplateToken>* tokens) {
  if (tokens->empty() || !tokens->back().pattern.empty()) tokens->emplace_back();
  tokens->back().text.append(text.data(), text.size());
}

// Moves `at` behind a quoted text.
void TakeQuoted(absl::string_view text, size_t* at, std::vector<TemplateToken>* tokens) {
  for (++*at; *at < text.size() && text[*at] != '"'; ++*at) {
    if (text[*at] == '\\' && *at + 1 < text.size()) ++*at;
    AppendLiteral(text.substr(*at, 1), tokens);
  }
  if (*at < text.size()) ++*at;
}

absl::string_view LongestPattern(absl::string_view text,
                                 absl::Span<const absl::string_view> patterns) {
  for (absl::string_view pattern : patterns) {
    if (absl::StartsWith(text, pattern)) return pattern;
  }
  return absl::string_view();
}

}  // namespace

std::vector<TemplateToken> SplitTemplate(absl::string_view text,
                                         absl::Span<const absl::string_view> patterns) {
  std::vector<TemplateToken> tokens;
  bool fill_mode = false;
  for (size_t at = 0; at < text.size();) {
    const absl::string_view rest = text.substr(at);
    if (rest[0] == '"') {
      TakeQuoted(text, &at, &tokens);
      continue;
    }
    if (absl::StartsWith(rest, "FM") || absl::StartsWith(rest, "fm")) {
      fill_mode = true;
      at += 2;
      continue;
    }
    const absl::string_view pattern = LongestPattern(rest, patterns);
    if (pattern.empty()) {
      if (rest[0] == '\\' && rest.size() > 1 && rest[1] == '"') ++at;
      const size_t length = CharLength(text, at);
      AppendLiteral(text.substr(at, length), &tokens);
      at += length;
      continue;
    }
    TemplateToken token;
    token.pattern = pattern;
    token.fill_mode = fill_mode;
    fill_mode = false;
    at += pattern.size();
    const absl::string_view suffix = text.substr(at, 2);
    token.ordinal = suffix == "TH" || suffix == "th";
    token.ordinal_lower = suffix == "th";
    if (token.ordinal) at += 2;
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace millrace
