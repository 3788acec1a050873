#pragma once

#include "absl/strings/string_view.h"

// Character classes of the text parsers: ASCII only, independent of the locale.

namespace millrace {

inline bool IsSpaceChar(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
inline bool IsDigitChar(char c) { return c >= '0' && c <= '9'; }
inline bool IsLetterChar(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

inline absl::string_view TrimSpace(absl::string_view text) {
  while (!text.empty() && IsSpaceChar(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpaceChar(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace millrace
