#include "common/types/utf8.h"

#include <cstring>

namespace millrace {
namespace {

// Length that a first byte announces; 0 if it cannot begin a character.
size_t AnnouncedLength(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

uint32_t DecodeBytes(const char* p, size_t length) {
  constexpr uint32_t kFirstMask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  uint32_t code_point = static_cast<unsigned char>(p[0]) & kFirstMask[length];
  for (size_t i = 1; i < length; ++i) {
    code_point = (code_point << 6) | (static_cast<unsigned char>(p[i]) & 0x3F);
  }
  return code_point;
}

// Whether eight bytes at `p` are all ASCII and none is zero.
bool IsPlainWord(const char* p) {
  uint64_t word = 0;
  std::memcpy(&word, p, sizeof(word));
  const uint64_t has_zero = (word - 0x0101010101010101) & ~word;
  return ((word | has_zero) & 0x8080808080808080) == 0;
}

}  // namespace

uint32_t DecodeChar(absl::string_view text) {
  if (text.empty()) return 0;
  const size_t length = AnnouncedLength(static_cast<unsigned char>(text[0]));
  if (length == 0 || length > text.size()) return static_cast<unsigned char>(text[0]);
  return DecodeBytes(text.data(), length);
}

void AppendChar(uint32_t code_point, std::string* out) {
  const auto tail = [&](int shift) {
    out->push_back(static_cast<char>(0x80 | ((code_point >> shift) & 0x3F)));
  };
  if (code_point < 0x80) {
    out->push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    out->push_back(static_cast<char>(0xC0 | (code_point >> 6)));
    tail(0);
  } else if (code_point < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | (code_point >> 12)));
    tail(6);
    tail(0);
  } else {
    out->push_back(static_cast<char>(0xF0 | (code_point >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

bool IsValidText(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (at + 8 <= text.size() && IsPlainWord(text.data() + at)) {
      at += 8;
      continue;
    }
    const size_t length = AnnouncedLength(static_cast<unsigned char>(text[at]));
    if (length == 0 || at + length > text.size() || text[at] == '\0') return false;
    for (size_t i = 1; i < length; ++i) {
      if (!IsContinuation(text[at + i])) return false;
    }
    const uint32_t code_point = DecodeBytes(text.data() + at, length);
    const bool overlong =
        (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
    const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    if (overlong || surrogate || code_point > 0x10FFFF) return false;
    at += length;
  }
  return true;
}

}  // namespace millrace
