#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/types/char_class.h"

namespace millrace {

// A cursor over the text of a date, time or interval. The Take functions move on only when they
// succeed.
class DatetimeScanner {
 public:
  explicit DatetimeScanner(absl::string_view text) : text_(text) {}

  bool AtEnd() const { return text_.empty(); }
  char Peek() const { return text_.empty() ? '\0' : text_.front(); }
  absl::string_view rest() const { return text_; }

  void SkipSpace() {
    while (!text_.empty() && IsSpaceChar(text_.front())) text_.remove_prefix(1);
  }
  bool TakeChar(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  size_t CountDigits() const {
    size_t n = 0;
    while (n < text_.size() && IsDigitChar(text_[n])) ++n;
    return n;
  }
  // One to `max_digits` digits.
  bool TakeNumber(size_t max_digits, int64_t* out) {
    const size_t n = CountDigits();
    if (n == 0 || n > max_digits) return false;
    int64_t value = 0;
    for (size_t i = 0; i < n; ++i) value = value * 10 + (text_[i] - '0');
    text_.remove_prefix(n);
    *out = value;
    return true;
  }
  // "SS[.ffffff…]" in microseconds, rounded.
  bool TakeSeconds(int64_t* micros);
  // ".ffffff…" (may be missing) in millionths, rounded half up.
  bool TakeFraction(int64_t* millionths);
  // A word of letters, compared without case; it must end where `word` ends.
  bool TakeWord(absl::string_view word);
  // The letters at the cursor.
  absl::string_view PeekWord() const;
  void Skip(size_t n) { text_.remove_prefix(n); }
  // A month's English name or its first three letters; 1 to 12.
  bool TakeMonthName(int* month);
  // A weekday's name, which says nothing that the date does not.
  void TakeDayName();
  // One of - / . or white space, and white space around it; 0 if there is none.
  char TakeDateSeparator();

 private:
  absl::string_view text_;
};

}  // namespace millrace
