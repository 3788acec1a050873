#include "common/expr/letter_case.h"

#include <locale.h>
#include <wctype.h>

#include "common/types/utf8.h"

namespace millrace {
namespace {

// The C library's Unicode tables, whatever the locale of the process is. Null where the system has
// no C.UTF-8; then only ASCII letters have two cases.
locale_t UnicodeLocale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

template <typename AsciiMap, typename WideMap>
void AppendMapped(absl::string_view text, std::string* out, const AsciiMap& ascii,
                  const WideMap& wide) {
  if (IsAscii(text)) {
    const size_t start = out->size();
    out->append(text.data(), text.size());
    for (size_t i = start; i < out->size(); ++i) (*out)[i] = ascii((*out)[i]);
    return;
  }
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharLength(text, at);
    AppendChar(wide(DecodeChar(text.substr(at, length))), out);
    at += length;
  }
}

char AsciiUpper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char AsciiLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

uint32_t ToUpperChar(uint32_t code_point) {
  if (code_point < 0x80) return static_cast<uint32_t>(AsciiUpper(static_cast<char>(code_point)));
  if (UnicodeLocale() == nullptr) return code_point;
  return static_cast<uint32_t>(towupper_l(static_cast<wint_t>(code_point), UnicodeLocale()));
}

uint32_t ToLowerChar(uint32_t code_point) {
  if (code_point < 0x80) return static_cast<uint32_t>(AsciiLower(static_cast<char>(code_point)));
  if (UnicodeLocale() == nullptr) return code_point;
  return static_cast<uint32_t>(towlower_l(static_cast<wint_t>(code_point), UnicodeLocale()));
}

bool IsAlphanumeric(uint32_t code_point) {
  const bool digit = code_point >= '0' && code_point <= '9';
  const bool letter = (code_point | 32) >= 'a' && (code_point | 32) <= 'z' && code_point < 0x80;
  if (code_point < 0x80) return digit || letter;
  return UnicodeLocale() != nullptr &&
         iswalnum_l(static_cast<wint_t>(code_point), UnicodeLocale()) != 0;
}

void AppendUpper(absl::string_view text, std::string* out) {
  AppendMapped(text, out, AsciiUpper, ToUpperChar);
}

void AppendLower(absl::string_view text, std::string* out) {
  AppendMapped(text, out, AsciiLower, ToLowerChar);
}

void AppendInitcap(absl::string_view text, std::string* out) {
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharLength(text, at);
    const uint32_t c = DecodeChar(text.substr(at, length));
    AppendChar(in_word ? ToLowerChar(c) : ToUpperChar(c), out);
    in_word = IsAlphanumeric(c);
    at += length;
  }
}

}  // namespace millrace
