#include "common/types/text_parse.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/types/char_class.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

template <typename T>
bool ParseInteger(absl::string_view text, T* out) {
  text = TrimSpace(text);
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty()) return false;
  uint64_t magnitude = 0;
  for (char c : text) {
    const auto digit = static_cast<uint64_t>(static_cast<unsigned char>(c) - '0');
    if (digit > 9) return false;
    if (magnitude > (std::numeric_limits<uint64_t>::max() - digit) / 10) return false;
    magnitude = magnitude * 10 + digit;
  }
  const uint64_t limit = static_cast<uint64_t>(std::numeric_limits<T>::max()) + (negative ? 1 : 0);
  if (magnitude > limit) return false;
  *out = static_cast<T>(negative ? uint64_t{0} - magnitude : magnitude);
  return true;
}

// Whether `text` is an integer of any size.
bool LooksLikeInteger(absl::string_view text) {
  text = TrimSpace(text);
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text.empty()) return false;
  for (char c : text) {
    if (!IsDigitChar(c)) return false;
  }
  return true;
}

template <typename T>
bool ParseFloat(absl::string_view text, T* out) {
  text = TrimSpace(text);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return false;
  }
  if (text.empty()) return false;
  // from_chars takes "nan(...)", which PostgreSQL does not.
  if (text.back() == ')') return false;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *out);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool FloatOutOfRange(absl::string_view text, const SqlType& type) {
  text = TrimSpace(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const char* end = text.data() + text.size();
  double as_double = 0;
  float as_float = 0;
  const auto result = type.id == TypeId::kFloat32 ? std::from_chars(text.data(), end, as_float)
                                                  : std::from_chars(text.data(), end, as_double);
  return result.ec == std::errc::result_out_of_range && result.ptr == end;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool ParseHexBytea(absl::string_view digits, std::string* out) {
  int high = -1;
  for (char c : digits) {
    const int digit = HexDigit(c);
    // White space may stand between bytes.
    if (digit < 0 && high < 0 && IsSpaceChar(c)) continue;
    if (digit < 0) return false;
    if (high < 0) {
      high = digit;
      continue;
    }
    out->push_back(static_cast<char>(high * 16 + digit));
    high = -1;
  }
  return high < 0;
}

bool IsOctal(absl::string_view text, size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '7';
}

// PostgreSQL tells apart what is wrong with hexadecimal text.
absl::Status HexFailure(absl::string_view digits) {
  for (size_t at = 0; at < digits.size(); at += CharLength(digits, at)) {
    if (HexDigit(digits[at]) >= 0 || IsSpaceChar(digits[at])) continue;
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("invalid hexadecimal digit: \"",
                                  digits.substr(at, CharLength(digits, at)), "\""));
  }
  return MakeError(SqlState::kInvalidParameterValue,
                   "invalid hexadecimal data: odd number of digits");
}

absl::Status OutOfRange(absl::string_view text, const SqlType& type) {
  return MakeError(SqlState::kNumericOutOfRange,
                   absl::StrCat("value \"", text, "\" is out of range for type ",
                                TypeName(SqlType::Of(type.id))));
}

absl::Status NumericFailure(absl::string_view text, const SqlType& type) {
  if (type.precision > 0) {
    return MakeError(SqlState::kNumericOutOfRange, "numeric field overflow",
                     absl::StrCat("A field with precision ", type.precision, ", scale ", type.scale,
                                  " cannot hold the value ", TrimSpace(text), "."));
  }
  return MakeError(SqlState::kNumericOutOfRange,
                   absl::StrCat("value \"", text, "\" has more digits than numeric can hold (",
                                kMaxNumericPrecision, ")"));
}

bool IsInfinityWord(absl::string_view text) {
  text = TrimSpace(text);
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return absl::EqualsIgnoreCase(text, "infinity") || absl::EqualsIgnoreCase(text, "inf");
}

absl::Status DatetimeFailure(absl::string_view text, const SqlType& type) {
  if (IsInfinityWord(text) && type.id != TypeId::kTime) {
    return NotSupported(absl::StrCat("infinity of type ", TypeName(type)));
  }
  // A text that is made of digits and separators has the right form, so a value in it is out of
  // range.
  const absl::string_view trimmed = TrimSpace(text);
  bool has_form = !trimmed.empty() && IsDigitChar(trimmed.front());
  bool has_separator = false;
  for (char c : trimmed) {
    const bool separator = c == '-' || c == ':' || c == '/';
    has_separator |= separator;
    has_form &= IsDigitChar(c) || separator || c == ' ' || c == 'T' || c == '.' || c == '+';
  }
  if (type.id == TypeId::kInterval) {
    // A number as long as the largest that a field can hold is what went wrong; otherwise it is the
    // form.
    int64_t num_digits = 0;
    int64_t longest = 0;
    for (char c : trimmed) {
      num_digits = IsDigitChar(c) ? num_digits + 1 : 0;
      longest = std::max(longest, num_digits);
    }
    constexpr int64_t kDigitsOfInt32 = 10;
    if (longest >= kDigitsOfInt32) {
      return MakeError(SqlState::kIntervalFieldOverflow,
                       absl::StrCat("interval field value out of range: \"", text, "\""));
    }
    return MakeError(SqlState::kInvalidDatetimeFormat,
                     absl::StrCat("invalid input syntax for type interval: \"", text, "\""));
  }
  if (has_form && has_separator) {
    return MakeError(SqlState::kDatetimeOverflow,
                     absl::StrCat("date/time field value out of range: \"", text, "\""));
  }
  return MakeError(
      SqlState::kInvalidDatetimeFormat,
      absl::StrCat("invalid input syntax for type ", TypeName(type), ": \"", text, "\""));
}

}  // namespace

bool ParseBool(absl::string_view text, bool* out) {
  text = TrimSpace(text);
  if (text.empty()) return false;
  const auto is_prefix_of = [&](absl::string_view word) {
    return absl::StartsWithIgnoreCase(word, text);
  };
  if (text == "1" || is_prefix_of("true") || is_prefix_of("yes")) {
    *out = true;
    return true;
  }
  if (text == "0" || is_prefix_of("false") || is_prefix_of("no")) {
    *out = false;
    return true;
  }
  // "o" alone could be on or off.
  if (text.size() < 2) return false;
  *out = is_prefix_of("on");
  return *out || is_prefix_of("off");
}

bool ParseInt16(absl::string_view text, int16_t* out) { return ParseInteger(text, out); }
bool ParseInt32(absl::string_view text, int32_t* out) { return ParseInteger(text, out); }
bool ParseInt64(absl::string_view text, int64_t* out) { return ParseInteger(text, out); }

bool ParseFloat32(absl::string_view text, float* out) { return ParseFloat(text, out); }
bool ParseFloat64(absl::string_view text, double* out) { return ParseFloat(text, out); }

bool ParseUuid(absl::string_view text, uint8_t out[16]) {
  text = TrimSpace(text);
  if (text.size() >= 2 && text.front() == '{' && text.back() == '}') {
    text = text.substr(1, text.size() - 2);
  }
  int num_digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '-') {
      const bool between_groups = num_digits > 0 && num_digits < 32 && num_digits % 4 == 0 &&
                                  i + 1 < text.size() && text[i - 1] != '-';
      if (!between_groups) return false;
      continue;
    }
    const int digit = HexDigit(text[i]);
    if (digit < 0 || num_digits == 32) return false;
    uint8_t& byte = out[num_digits / 2];
    byte = static_cast<uint8_t>(num_digits % 2 == 0 ? digit * 16 : byte + digit);
    ++num_digits;
  }
  return num_digits == 32;
}

bool ParseBytea(absl::string_view text, std::string* out) {
  out->clear();
  if (absl::StartsWith(text, "\\x")) return ParseHexBytea(text.substr(2), out);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out->push_back(text[i]);
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      out->push_back('\\');
      ++i;
    } else if (IsOctal(text, i + 1) && text[i + 1] <= '3' && IsOctal(text, i + 2) &&
               IsOctal(text, i + 3)) {
      out->push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                       (text[i + 3] - '0')));
      i += 3;
    } else {
      return false;
    }
  }
  return true;
}

absl::Status ParseFailure(absl::string_view text, const SqlType& type) {
  switch (type.id) {
    case TypeId::kInt16:
    case TypeId::kInt32:
    case TypeId::kInt64:
      if (LooksLikeInteger(text)) return OutOfRange(text, type);
      break;
    case TypeId::kFloat32:
    case TypeId::kFloat64:
      if (FloatOutOfRange(text, type)) {
        return MakeError(SqlState::kNumericOutOfRange,
                         absl::StrCat("\"", text, "\" is out of range for type ", TypeName(type)));
      }
      break;
    case TypeId::kNumeric: {
      int32_t scale = 0;
      if (NumericLiteralScale(text, &scale)) return NumericFailure(text, type);
      if (IsInfinityWord(text) || absl::EqualsIgnoreCase(TrimSpace(text), "nan")) {
        return NotSupported(absl::StrCat("numeric ", TrimSpace(text)));
      }
      break;
    }
    case TypeId::kDate:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kInterval:
      return DatetimeFailure(text, type);
    case TypeId::kBytea:
      if (absl::StartsWith(text, "\\x")) return HexFailure(text.substr(2));
      return MakeError(SqlState::kInvalidTextRepresentation, "invalid input syntax for type bytea");
    default:
      break;
  }
  return MakeError(SqlState::kInvalidTextRepresentation,
                   absl::StrCat("invalid input syntax for type ", TypeName(SqlType::Of(type.id)),
                                ": \"", text, "\""));
}

}  // namespace millrace
