#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

// Characters of UTF-8 text. The text is valid UTF-8 (sources check it); on other bytes the
// functions stay inside the text and give some answer.

namespace millrace {

// Whether a byte continues a character.
inline bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

inline int64_t CountChars(absl::string_view text) {
  int64_t n = 0;
  for (char c : text) n += IsContinuation(c) ? 0 : 1;
  return n;
}

inline bool IsAscii(absl::string_view text) {
  unsigned char all = 0;
  for (char c : text) all |= static_cast<unsigned char>(c);
  return all < 0x80;
}

// Length in bytes of the character at `at`.
inline size_t CharLength(absl::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && IsContinuation(text[end])) ++end;
  return end - at;
}

// Byte offset of character `index` (from 0); text.size() if there are fewer.
inline size_t CharOffset(absl::string_view text, int64_t index) {
  size_t at = 0;
  while (index > 0 && at < text.size()) {
    at += CharLength(text, at);
    --index;
  }
  return at;
}

// The code point of the character at the start; 0 for an empty text.
uint32_t DecodeChar(absl::string_view text);
// Appends a code point (below 0x110000).
void AppendChar(uint32_t code_point, std::string* out);
// False for anything that is not UTF-8, or holds U+0000, which PostgreSQL's text cannot hold
// either.
bool IsValidText(absl::string_view text);

}  // namespace millrace
