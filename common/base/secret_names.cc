#include "common/base/secret_names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace millrace {
namespace {

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-' ||
         c == '"' || c == '\'';
}

// The option in front of `= '`, at the end of the text; empty if there is none.
absl::string_view OptionBefore(absl::string_view text) {
  text = absl::StripTrailingAsciiWhitespace(text);
  if (!absl::ConsumeSuffix(&text, "=")) return "";
  text = absl::StripTrailingAsciiWhitespace(text);
  size_t begin = text.size();
  while (begin > 0 && IsNameCharacter(text[begin - 1])) --begin;
  return text.substr(begin);
}

// Behind the quote that ends a literal whose opening quote was just passed.
size_t EndOfLiteral(absl::string_view text, size_t begin) {
  size_t at = begin;
  while (at < text.size()) {
    if (text[at] != '\'') {
      ++at;
    } else if (at + 1 < text.size() && text[at + 1] == '\'') {
      at += 2;
    } else {
      return at + 1;
    }
  }
  return at;
}

}  // namespace

bool IsSecretName(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  for (absl::string_view word :
       {"password", "passwd", "passphrase", "secret", "token", "credential", "access_key",
        "private_key", "authorization", "sasl.jaas", "ssl.key.pem", "ssl.keystore"}) {
    if (absl::StrContains(lower, word)) return true;
  }
  return false;
}

std::string MaskSecrets(absl::string_view statement) {
  std::string masked;
  size_t done = 0;
  while (true) {
    const size_t quote = statement.find('\'', done);
    if (quote == absl::string_view::npos) break;
    const size_t end = EndOfLiteral(statement, quote + 1);
    const bool secret = IsSecretName(OptionBefore(statement.substr(0, quote)));
    absl::StrAppend(&masked, statement.substr(done, quote - done));
    if (secret) {
      absl::StrAppend(&masked, "'", kSecretMask, "'");
    } else {
      absl::StrAppend(&masked, statement.substr(quote, end - quote));
    }
    done = end;
  }
  absl::StrAppend(&masked, statement.substr(done));
  return masked;
}

}  // namespace millrace
