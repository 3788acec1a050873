#include "coordinator/sql/text_positions.h"

#include <algorithm>

#include "common/types/utf8.h"

namespace millrace {
namespace {

constexpr size_t kStep = 256;

}  // namespace

TextPositions::TextPositions(absl::string_view text) : text_(text) {
  if (IsAscii(text)) return;
  int32_t chars = 0;
  for (size_t at = 0; at <= text.size(); at += kStep) {
    chars_before_.push_back(chars);
    chars += static_cast<int32_t>(CountChars(text.substr(at, kStep)));
  }
}

int32_t TextPositions::CharAt(int32_t byte) const {
  if (byte < 0) return 0;
  const size_t at = std::min(static_cast<size_t>(byte), text_.size());
  if (chars_before_.empty()) return static_cast<int32_t>(at) + 1;
  const size_t step = at / kStep;
  return chars_before_[step] + 1 +
         static_cast<int32_t>(CountChars(text_.substr(step * kStep, at - step * kStep)));
}

int32_t TextPositions::ByteAt(int32_t position) const {
  if (position < 1) return -1;
  if (chars_before_.empty()) {
    return static_cast<int32_t>(std::min(static_cast<size_t>(position) - 1, text_.size()));
  }
  return static_cast<int32_t>(CharOffset(text_, position - 1));
}

}  // namespace millrace
