#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/datetime_template.h"
#include "common/types/calendar.h"
#include "common/types/char_class.h"
#include "common/types/datetime_scanner.h"

// to_timestamp and to_date: a text read by a template.

namespace millrace {
namespace {

using absl::string_view;

// What has been read. Fields that the template lacks keep PostgreSQL's defaults.
struct ParsedFields {
  int64_t year = 0;
  bool before_christ = false;
  int64_t century = 0;
  int64_t month = 1;
  int64_t day = 1;
  int64_t day_of_year = 0;
  int64_t iso_year = 0;
  int64_t iso_week = 0;
  int64_t iso_day = 1;
  int64_t week = 0;
  int64_t julian = 0;
  int64_t hour = 0;
  bool has_hour12 = false;
  bool pm = false;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t micros = 0;
  bool has_zone = false;
  int32_t zone_sign = 1;
  int64_t zone_hours = 0;
  int64_t zone_minutes = 0;
};

absl::Status OutOfRange(string_view text) {
  return MakeError(SqlState::kDatetimeOverflow,
                   absl::StrCat("date/time field value out of range: \"", text, "\""));
}

class TemplateReader {
 public:
  TemplateReader(const std::vector<TemplateToken>& tokens, string_view text)
      : tokens_(tokens), text_(text), scanner_(text) {}

  absl::StatusOr<ParsedFields> Read() {
    for (size_t i = 0; i < tokens_.size() && !scanner_.AtEnd(); ++i) {
      if (tokens_[i].pattern.empty()) {
        SkipLiteral(tokens_[i].text);
        continue;
      }
      scanner_.SkipSpace();
      MR_RETURN_IF_ERROR(ReadPattern(absl::AsciiStrToUpper(tokens_[i].pattern), NextIsDigits(i)));
    }
    return fields_;
  }

 private:
  // Whether the token behind `index` begins with digits too, so that widths separate them.
  bool NextIsDigits(size_t index) const {
    if (index + 1 >= tokens_.size()) return false;
    const TemplateToken& next = tokens_[index + 1];
    if (next.pattern.empty()) return !next.text.empty() && IsDigitChar(next.text[0]);
    const std::string pattern = absl::AsciiStrToUpper(next.pattern);
    constexpr std::array<string_view, 12> kWords = {"MONTH", "MON",  "DAY", "DY", "AM",   "PM",
                                                    "A.M.",  "P.M.", "AD",  "BC", "A.D.", "B.C."};
    for (string_view word : kWords) {
      if (pattern == word) return false;
    }
    return pattern != "TZH" && pattern != "TZ" && pattern != "OF" && pattern != "RM";
  }

  // A separator of the template stands for any one separator; other text for as many characters.
  void SkipLiteral(string_view literal) {
    for (char c : literal) {
      if (scanner_.AtEnd()) return;
      if (IsSpaceChar(c)) {
        scanner_.SkipSpace();
        continue;
      }
      const bool separator = !IsLetterChar(c) && !IsDigitChar(c);
      if (separator) scanner_.SkipSpace();
      const char found = scanner_.Peek();
      const bool found_separator = !IsLetterChar(found) && !IsDigitChar(found);
      if (!separator || found_separator) scanner_.Skip(1);
    }
  }

  absl::Status Invalid(string_view pattern) const {
    const string_view rest = scanner_.rest().substr(0, 10);
    return MakeError(SqlState::kInvalidDatetimeFormat,
                     absl::StrCat("invalid value \"", rest, "\" for \"", pattern, "\""));
  }

  // A number of up to `width` digits; of any length if what follows is no digit.
  absl::Status Number(string_view pattern, size_t width, bool next_is_digits, int64_t* out) {
    const bool negative = pattern[0] != 'T' && scanner_.TakeChar('-');
    if (!negative) scanner_.TakeChar('+');
    const size_t limit = next_is_digits ? width : 18;
    const string_view digits = scanner_.rest().substr(0, std::min(limit, scanner_.CountDigits()));
    if (digits.empty()) return Invalid(pattern);
    *out = 0;
    for (char c : digits) *out = *out * 10 + (c - '0');
    if (negative) *out = -*out;
    last_width_ = digits.size();
    scanner_.Skip(digits.size());
    return absl::OkStatus();
  }

  // Digits of a fraction of a second, in microseconds.
  absl::Status Fraction(string_view pattern, size_t width, bool next_is_digits) {
    int64_t value = 0;
    MR_RETURN_IF_ERROR(Number(pattern, width, next_is_digits, &value));
    for (size_t i = last_width_; i < 6; ++i) value *= 10;
    for (size_t i = last_width_; i > 6; --i) value /= 10;
    fields_.micros = value;
    return absl::OkStatus();
  }

  absl::Status Word(string_view pattern, string_view yes, string_view no, bool* out) {
    string_view rest = scanner_.rest();
    const size_t length = pattern.size();
    std::string word = absl::AsciiStrToUpper(rest.substr(0, length));
    word.erase(std::remove(word.begin(), word.end(), '.'), word.end());
    if (word != yes && word != no) return Invalid(pattern);
    *out = word == yes;
    scanner_.Skip(length);
    return absl::OkStatus();
  }

  absl::Status Year(string_view pattern, bool next_is_digits, int64_t* out) {
    if (pattern == "Y,YYY") {
      int64_t thousands = 0;
      MR_RETURN_IF_ERROR(Number(pattern, 9, true, &thousands));
      if (!scanner_.TakeChar(',')) return Invalid(pattern);
      MR_RETURN_IF_ERROR(Number(pattern, 3, true, out));
      *out += thousands * 1000;
      return absl::OkStatus();
    }
    MR_RETURN_IF_ERROR(Number(pattern, pattern.size(), next_is_digits, out));
    // Fewer than four digits: the year nearest to 2020.
    if (pattern.size() < 4 && last_width_ < 4) {
      if (*out < 70) {
        *out += 2000;
      } else if (*out < 100) {
        *out += 1900;
      } else if (*out < 520) {
        *out += 2000;
      } else {
        *out += 1000;
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadPattern(const std::string& pattern, bool next_is_digits) {
    if (pattern == "MONTH" || pattern == "MON") {
      int month = 0;
      if (!scanner_.TakeMonthName(&month)) return Invalid(pattern);
      fields_.month = month;
      return absl::OkStatus();
    }
    if (pattern == "DAY" || pattern == "DY") {
      scanner_.TakeDayName();
      return absl::OkStatus();
    }
    if (pattern == "AM" || pattern == "PM" || pattern == "A.M." || pattern == "P.M.") {
      fields_.has_hour12 = true;
      return Word(pattern, "PM", "AM", &fields_.pm);
    }
    if (pattern == "AD" || pattern == "BC" || pattern == "A.D." || pattern == "B.C.") {
      return Word(pattern, "BC", "AD", &fields_.before_christ);
    }
    if (pattern[0] == 'Y') return Year(pattern, next_is_digits, &fields_.year);
    if (pattern[0] == 'I' && (pattern == "I" || pattern[1] == 'Y')) {
      return Year(absl::StrCat(string_view("YYYY").substr(0, pattern.size())), next_is_digits,
                  &fields_.iso_year);
    }
    if (pattern == "MS") return Fraction(pattern, 3, next_is_digits);
    if (pattern == "US") return Fraction(pattern, 6, next_is_digits);
    if (absl::StartsWith(pattern, "FF")) {
      return Fraction(pattern, static_cast<size_t>(pattern[2] - '0'), next_is_digits);
    }
    if (pattern == "TZH") {
      fields_.has_zone = true;
      fields_.zone_sign = scanner_.TakeChar('-') ? -1 : 1;
    }
    return ReadNumber(pattern, next_is_digits);
  }

  absl::Status ReadNumber(const std::string& pattern, bool next_is_digits) {
    struct Target {
      string_view pattern;
      size_t width;
      int64_t* out;
    };
    int64_t ignored = 0;
    int64_t seconds_of_day = -1;
    const Target targets[] = {
        {"MM", 2, &fields_.month},
        {"DD", 2, &fields_.day},
        {"DDD", 3, &fields_.day_of_year},
        {"HH24", 2, &fields_.hour},
        {"HH12", 2, &fields_.hour},
        {"HH", 2, &fields_.hour},
        {"MI", 2, &fields_.minute},
        {"SS", 2, &fields_.second},
        {"SSSS", 5, &seconds_of_day},
        {"SSSSS", 5, &seconds_of_day},
        {"IW", 2, &fields_.iso_week},
        {"ID", 1, &fields_.iso_day},
        {"WW", 2, &fields_.week},
        {"J", 7, &fields_.julian},
        {"CC", 2, &fields_.century},
        {"TZH", 2, &fields_.zone_hours},
        {"TZM", 2, &fields_.zone_minutes},
        {"D", 1, &ignored},
        {"Q", 1, &ignored},
        {"W", 1, &ignored},
    };
    for (const Target& target : targets) {
      if (target.pattern != pattern) continue;
      MR_RETURN_IF_ERROR(Number(pattern, target.width, next_is_digits, target.out));
      if (pattern == "HH" || pattern == "HH12") fields_.has_hour12 = true;
      if (seconds_of_day >= 0) {
        fields_.hour = seconds_of_day / 3600;
        fields_.minute = seconds_of_day / 60 % 60;
        fields_.second = seconds_of_day % 60;
      }
      return absl::OkStatus();
    }
    return NotSupported(absl::StrCat("formatting field \"", pattern, "\" when reading"));
  }

  const std::vector<TemplateToken>& tokens_;
  const string_view text_;
  DatetimeScanner scanner_;
  ParsedFields fields_;
  size_t last_width_ = 0;
};

bool DaysOf(const ParsedFields& fields, int64_t* days) {
  constexpr int64_t kJulianOfEpoch = 2440588;
  if (fields.julian != 0) {
    *days = fields.julian - kJulianOfEpoch;
    return true;
  }
  if (fields.iso_week != 0) {
    if (fields.iso_week < 1 || fields.iso_week > 53 || fields.iso_day < 1 || fields.iso_day > 7)
      return false;
    const int64_t january4 = DaysFromCivil(fields.iso_year, 1, 4);
    const int64_t monday = january4 - FloorMod(january4 + 3, 7);
    *days = monday + (fields.iso_week - 1) * 7 + fields.iso_day - 1;
    return true;
  }
  int64_t year = fields.year == 0 ? fields.iso_year : fields.year;
  if (fields.century != 0 && year == 0) year = fields.century * 100 - 99;
  // Year 0 is 1 BC, also where the template has no year.
  if (fields.before_christ || year < 0) year = 1 - std::abs(year);
  if (fields.day_of_year != 0) {
    if (fields.day_of_year < 1 || fields.day_of_year > (IsLeapYear(year) ? 366 : 365)) return false;
    *days = DaysFromCivil(year, 1, 1) + fields.day_of_year - 1;
    return true;
  }
  if (fields.week != 0) {
    if (fields.week < 1 || fields.week > 53) return false;
    *days = DaysFromCivil(year, 1, 1) + (fields.week - 1) * 7;
    return true;
  }
  const bool in_range = year < 6'000'000 && fields.month >= 1 && fields.month <= 12 &&
                        fields.day >= 1 &&
                        fields.day <= DaysInMonth(year, static_cast<int32_t>(fields.month));
  if (!in_range) return false;
  *days = DaysFromCivil(year, static_cast<int32_t>(fields.month), static_cast<int32_t>(fields.day));
  return true;
}

}  // namespace

absl::StatusOr<int64_t> DatetimeTemplate::Parse(absl::string_view text,
                                                int32_t zone_offset_seconds) const {
  MR_ASSIGN_OR_RETURN(ParsedFields fields, TemplateReader(tokens_, text).Read());
  if (fields.has_hour12) {
    if (fields.hour < 1 || fields.hour > 12) {
      return MakeError(SqlState::kInvalidDatetimeFormat,
                       absl::StrCat("hour \"", fields.hour, "\" is invalid for the 12-hour clock"),
                       "Use the 24-hour clock, or give an hour between 1 and 12.");
    }
    fields.hour = fields.hour % 12 + (fields.pm ? 12 : 0);
  }
  int64_t days = 0;
  const bool time_fits = fields.hour >= 0 && fields.hour < 24 && fields.minute >= 0 &&
                         fields.minute < 60 && fields.second >= 0 && fields.second < 60;
  if (!time_fits || !DaysOf(fields, &days)) return OutOfRange(text);
  int64_t micros = 0;
  if (__builtin_mul_overflow(days, kMicrosPerDay, &micros)) return OutOfRange(text);
  const int64_t zone =
      fields.has_zone ? fields.zone_sign * (fields.zone_hours * 3600 + fields.zone_minutes * 60)
                      : zone_offset_seconds;
  micros += fields.hour * kMicrosPerHour + fields.minute * kMicrosPerMinute +
            fields.second * kMicrosPerSecond + fields.micros - zone * kMicrosPerSecond;
  if (micros < kMinTimestampMicros) return OutOfRange(text);
  return micros;
}

}  // namespace millrace
