#include "common/base/units.h"

#include <cmath>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

struct Unit {
  absl::string_view name;
  double factor;
};

constexpr double kSecond = 1e6;
constexpr Unit kDurationUnits[] = {{"us", 1},
                                   {"microsecond", 1},
                                   {"microseconds", 1},
                                   {"ms", 1e3},
                                   {"millisecond", 1e3},
                                   {"milliseconds", 1e3},
                                   {"s", kSecond},
                                   {"sec", kSecond},
                                   {"secs", kSecond},
                                   {"second", kSecond},
                                   {"seconds", kSecond},
                                   {"m", 60 * kSecond},
                                   {"min", 60 * kSecond},
                                   {"mins", 60 * kSecond},
                                   {"minute", 60 * kSecond},
                                   {"minutes", 60 * kSecond},
                                   {"h", 3600 * kSecond},
                                   {"hour", 3600 * kSecond},
                                   {"hours", 3600 * kSecond},
                                   {"d", 86400 * kSecond},
                                   {"day", 86400 * kSecond},
                                   {"days", 86400 * kSecond}};

constexpr double kKi = 1024;
constexpr Unit kByteUnits[] = {{"", 1},
                               {"b", 1},
                               {"kb", 1e3},
                               {"mb", 1e6},
                               {"gb", 1e9},
                               {"tb", 1e12},
                               {"kib", kKi},
                               {"mib", kKi * kKi},
                               {"gib", kKi * kKi * kKi},
                               {"tib", kKi * kKi * kKi * kKi}};

absl::string_view TakeWhile(absl::string_view& text, bool (*fits)(unsigned char)) {
  size_t length = 0;
  while (length < text.size() && fits(static_cast<unsigned char>(text[length]))) ++length;
  absl::string_view taken = text.substr(0, length);
  text.remove_prefix(length);
  return taken;
}

bool IsNumberPart(unsigned char c) { return absl::ascii_isdigit(c) || c == '.'; }
bool IsLetter(unsigned char c) { return absl::ascii_isalpha(c); }

// Takes one "12.5 unit" from the front of `text` and adds it to `sum`; false if there is none.
template <size_t n>
bool TakeTerm(absl::string_view& text, const Unit (&units)[n], double& sum) {
  double number = 0;
  if (!absl::SimpleAtod(TakeWhile(text, IsNumberPart), &number)) return false;
  text = absl::StripLeadingAsciiWhitespace(text);
  const std::string name = absl::AsciiStrToLower(TakeWhile(text, IsLetter));
  text = absl::StripLeadingAsciiWhitespace(text);
  for (const Unit& unit : units) {
    if (unit.name == name) {
      sum += number * unit.factor;
      return true;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<int64_t> ParseDurationMicros(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  if (rest == "0") return 0;
  double micros = 0;
  bool valid = !rest.empty();
  while (valid && !rest.empty()) valid = TakeTerm(rest, kDurationUnits, micros);
  if (!valid || micros > 9e18) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("invalid duration: \"", text, "\""),
                     "write a number and a unit, for example '500 ms', '30 s' or '1 h'");
  }
  return static_cast<int64_t>(std::llround(micros));
}

absl::StatusOr<uint64_t> ParseByteSize(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  double bytes = 0;
  if (rest.empty() || !TakeTerm(rest, kByteUnits, bytes) || !rest.empty() || bytes > 9e18) {
    return MakeError(SqlState::kInvalidParameterValue, absl::StrCat("invalid size: \"", text, "\""),
                     "write a number and a unit, for example '64 MiB'");
  }
  return static_cast<uint64_t>(std::llround(bytes));
}

}  // namespace millrace
