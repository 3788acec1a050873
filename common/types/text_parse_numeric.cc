#include <algorithm>

#include "common/types/char_class.h"
#include "common/types/decimal.h"
#include "common/types/text_parse.h"

namespace millrace {
namespace {

// A number in text, taken apart: its value is (digits of `whole` and `fraction` in a row) *
// 10^exponent.
struct NumericText {
  bool negative = false;
  absl::string_view whole;
  absl::string_view fraction;
  int32_t exponent = 0;
};

absl::string_view TakeDigits(absl::string_view* text) {
  size_t n = 0;
  while (n < text->size() && IsDigitChar((*text)[n])) ++n;
  const absl::string_view digits = text->substr(0, n);
  text->remove_prefix(n);
  return digits;
}

bool TakeSign(absl::string_view* text) {
  if (text->empty() || (text->front() != '-' && text->front() != '+')) return false;
  const bool negative = text->front() == '-';
  text->remove_prefix(1);
  return negative;
}

bool SplitNumeric(absl::string_view text, NumericText* out) {
  text = TrimSpace(text);
  out->negative = TakeSign(&text);
  out->whole = TakeDigits(&text);
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    out->fraction = TakeDigits(&text);
  }
  if (out->whole.empty() && out->fraction.empty()) return false;
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text.remove_prefix(1);
    const bool negative = TakeSign(&text);
    const absl::string_view digits = TakeDigits(&text);
    if (digits.empty() || digits.size() > 6) return false;
    for (char c : digits) out->exponent = out->exponent * 10 + (c - '0');
    if (negative) out->exponent = -out->exponent;
  }
  return text.empty();
}

// "-123.45" with few digits and none that would be cut: what nearly all numbers in files look like.
// Works in 64 bits.
bool ParsePlain(absl::string_view text, int32_t scale, __int128* out) {
  constexpr int32_t kMaxDigits = 18;
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > kMaxDigits) return false;
  uint64_t value = 0;
  int32_t num_fraction = -1;
  for (char c : text) {
    const auto digit = static_cast<uint64_t>(static_cast<unsigned char>(c) - '0');
    if (digit <= 9) {
      value = value * 10 + digit;
      num_fraction += num_fraction >= 0 ? 1 : 0;
    } else if (c == '.' && num_fraction < 0) {
      num_fraction = 0;
    } else {
      return false;
    }
  }
  const int32_t missing = scale - std::max(num_fraction, 0);
  // A lone point is left to the general case.
  if (missing < 0 || missing > kMaxDigits || text == ".") return false;
  const __int128 scaled = static_cast<__int128>(value) * PowerOfTen(missing);
  *out = negative ? -scaled : scaled;
  return true;
}

// Appends decimal digits to a number, up to 38 of them.
class DigitAccumulator {
 public:
  bool Append(char c) {
    if (value_ >= kLimit) return false;
    value_ = value_ * 10 + (c - '0');
    return true;
  }
  __int128 value() const { return value_; }

 private:
  static constexpr __int128 kLimit = PowerOfTen(37);
  __int128 value_ = 0;
};

}  // namespace

bool ParseNumeric(absl::string_view text, int32_t scale, __int128* out) {
  if (ParsePlain(text, scale, out)) return true;
  NumericText number;
  if (!SplitNumeric(text, &number)) return false;
  const auto num_whole = static_cast<int64_t>(number.whole.size());
  const int64_t num_digits = num_whole + static_cast<int64_t>(number.fraction.size());
  // How many of the digits stand in front of the last place that is kept.
  const int64_t num_kept = num_whole + number.exponent + scale;
  const auto digit_at = [&](int64_t i) {
    return i < num_whole ? number.whole[i] : number.fraction[i - num_whole];
  };
  DigitAccumulator digits;
  for (int64_t i = 0; i < std::min(num_kept, num_digits); ++i) {
    if (!digits.Append(digit_at(i))) return false;
  }
  for (int64_t i = num_digits; i < num_kept && digits.value() != 0; ++i) {
    if (!digits.Append('0')) return false;
  }
  __int128 value = digits.value();
  if (num_kept >= 0 && num_kept < num_digits && digit_at(num_kept) >= '5') ++value;
  if (value > kMaxDecimal) return false;
  *out = number.negative ? -value : value;
  return true;
}

bool ParseNumeric(absl::string_view text, const SqlType& type, __int128* out) {
  if (!ParseNumeric(text, type.scale, out)) return false;
  if (type.precision == 0 || type.precision >= kMaxNumericPrecision) return true;
  const __int128 limit = PowerOfTen(type.precision);
  return *out < limit && *out > -limit;
}

bool NumericLiteralScale(absl::string_view text, int32_t* scale) {
  NumericText number;
  if (!SplitNumeric(text, &number)) return false;
  *scale = std::max<int32_t>(0, static_cast<int32_t>(number.fraction.size()) - number.exponent);
  return true;
}

}  // namespace millrace
