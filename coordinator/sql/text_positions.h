#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace millrace {

// Byte offsets and character positions of one text. PostgreSQL's parser speaks of bytes from 0,
// errors of characters from 1.
class TextPositions {
 public:
  explicit TextPositions(absl::string_view text);

  // The 1-based character that holds byte `byte`; 0 for a negative offset (no position); beyond the
  // end: one behind the last.
  int32_t CharAt(int32_t byte) const;
  // The inverse: the byte where the 1-based character `position` begins.
  int32_t ByteAt(int32_t position) const;

 private:
  absl::string_view text_;
  // Characters before byte i * kStep; empty if all is ASCII.
  std::vector<int32_t> chars_before_;
};

}  // namespace millrace
