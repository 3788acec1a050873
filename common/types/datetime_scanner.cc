#include "common/types/datetime_scanner.h"

#include "absl/strings/match.h"
#include "common/types/datetime_names.h"

namespace millrace {
namespace {

// Index of the name that `word` is, in full or by its first three letters; -1 if none.
template <size_t N>
int FindName(const char* const (&names)[N], absl::string_view word) {
  for (size_t i = 0; i < N; ++i) {
    const absl::string_view name = names[i];
    const bool abbreviated = word.size() == 3 && absl::StartsWithIgnoreCase(name, word);
    if (abbreviated || absl::EqualsIgnoreCase(name, word)) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

bool DatetimeScanner::TakeFraction(int64_t* millionths) {
  *millionths = 0;
  if (!TakeChar('.')) return true;
  const size_t n = CountDigits();
  int64_t value = 0;
  for (size_t i = 0; i < 6; ++i) value = value * 10 + (i < n ? text_[i] - '0' : 0);
  if (n > 6 && text_[6] >= '5') ++value;
  text_.remove_prefix(n);
  *millionths = value;
  return true;
}

bool DatetimeScanner::TakeSeconds(int64_t* micros) {
  int64_t seconds = 0;
  int64_t fraction = 0;
  if (!TakeNumber(2, &seconds) || !TakeFraction(&fraction)) return false;
  *micros = seconds * 1'000'000 + fraction;
  return true;
}

absl::string_view DatetimeScanner::PeekWord() const {
  size_t n = 0;
  while (n < text_.size() && IsLetterChar(text_[n])) ++n;
  return text_.substr(0, n);
}

bool DatetimeScanner::TakeWord(absl::string_view word) {
  const absl::string_view found = PeekWord();
  if (!absl::EqualsIgnoreCase(found, word)) return false;
  text_.remove_prefix(found.size());
  return true;
}

bool DatetimeScanner::TakeMonthName(int* month) {
  const absl::string_view word = PeekWord();
  int index = FindName(kMonthNames, word);
  if (absl::EqualsIgnoreCase(word, "sept")) index = 8;
  if (index < 0) return false;
  text_.remove_prefix(word.size());
  *month = index + 1;
  return true;
}

void DatetimeScanner::TakeDayName() {
  const absl::string_view word = PeekWord();
  if (FindName(kDayNames, word) < 0) return;
  text_.remove_prefix(word.size());
  TakeChar(',');
  SkipSpace();
}

char DatetimeScanner::TakeDateSeparator() {
  const bool space = !text_.empty() && IsSpaceChar(text_.front());
  SkipSpace();
  char separator = space ? ' ' : '\0';
  for (char c : {'-', '/', '.'}) {
    if (TakeChar(c)) {
      separator = c;
      SkipSpace();
      break;
    }
  }
  return separator;
}

}  // namespace millrace
