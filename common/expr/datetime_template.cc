#include "common/expr/datetime_template.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/datetime_field.h"
#include "common/types/calendar.h"
#include "common/types/datetime_names.h"

namespace millrace {
namespace {

using absl::string_view;

// Longest first among those that begin alike.
constexpr string_view kDatetimePatterns[] = {
    "MONTH", "Month", "month", "SSSSS", "IYYY", "iyyy", "YYYY", "yyyy", "Y,YYY", "y,yyy", "HH24",
    "hh24",  "HH12",  "hh12",  "SSSS",  "ssss", "A.D.", "a.d.", "B.C.", "b.c.",  "A.M.",  "a.m.",
    "P.M.",  "p.m.",  "IDDD",  "iddd",  "MON",  "Mon",  "mon",  "DAY",  "Day",   "day",   "DDD",
    "ddd",   "IYY",   "iyy",   "YYY",   "yyy",  "TZH",  "tzh",  "TZM",  "tzm",   "FF1",   "FF2",
    "FF3",   "FF4",   "FF5",   "FF6",   "ff1",  "ff2",  "ff3",  "ff4",  "ff5",   "ff6",   "AD",
    "ad",    "BC",    "bc",    "AM",    "am",   "PM",   "pm",   "HH",   "hh",    "MI",    "mi",
    "MM",    "mm",    "MS",    "ms",    "SS",   "ss",   "US",   "us",   "DY",    "Dy",    "dy",
    "DD",    "dd",    "ID",    "id",    "IW",   "iw",   "IY",   "iy",   "WW",    "ww",    "CC",
    "cc",    "RM",    "rm",    "TZ",    "tz",   "OF",   "of",   "YY",   "yy",    "D",     "d",
    "I",     "i",     "J",     "j",     "Q",    "q",    "W",    "w",    "Y",     "y"};

constexpr const char* kRomanMonths[] = {"I",   "II",   "III", "IV", "V",  "VI",
                                        "VII", "VIII", "IX",  "X",  "XI", "XII"};

// The fields of a moment, as the patterns show them.
struct Moment {
  int64_t year = 0;
  int64_t month = 0;
  int64_t day = 0;
  int64_t hour = 0;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t micros = 0;
  // Days since 1970; only of a timestamp.
  int64_t days = 0;
  bool is_interval = false;
  bool has_zone = false;
  int32_t zone_seconds = 0;
};

const char* OrdinalSuffix(int64_t value) {
  const int64_t last_two = std::abs(value) % 100;
  if (last_two >= 11 && last_two <= 13) return "th";
  switch (last_two % 10) {
    case 1:
      return "st";
    case 2:
      return "nd";
    case 3:
      return "rd";
    default:
      return "th";
  }
}

class MomentFormatter {
 public:
  MomentFormatter(const Moment& moment, std::string* out) : moment_(moment), out_(*out) {}

  absl::Status Write(const TemplateToken& token) {
    const std::string pattern = absl::AsciiStrToUpper(token.pattern);
    if (WriteTime(pattern, token) || WriteZone(pattern)) return absl::OkStatus();
    if (WriteYear(pattern, token)) return absl::OkStatus();
    if (moment_.is_interval && pattern != "MM" && pattern != "DD" && pattern != "RM") {
      return MakeError(SqlState::kInvalidDatetimeFormat,
                       "invalid format specification for an interval value",
                       "Intervals are not tied to specific calendar dates.");
    }
    if (!WriteName(pattern, token)) WriteDay(pattern, token);
    return absl::OkStatus();
  }

 private:
  // Zero-padded to `width`, unless FM; the width includes a minus.
  void Number(int64_t value, int width, const TemplateToken& token) {
    const std::string digits = absl::StrCat(std::abs(value));
    if (value < 0) out_.push_back('-');
    const auto length = static_cast<int>(digits.size());
    if (!token.fill_mode && length < width) out_.append(static_cast<size_t>(width - length), '0');
    out_.append(digits);
    if (!token.ordinal) return;
    const std::string suffix = OrdinalSuffix(value);
    out_.append(token.ordinal_lower ? suffix : absl::AsciiStrToUpper(suffix));
  }

  // A name in the pattern's case, padded to the longest name unless FM.
  void Name(string_view name, size_t width, const TemplateToken& token) {
    std::string text(name);
    if (absl::ascii_isupper(static_cast<unsigned char>(token.pattern[1]))) {
      text = absl::AsciiStrToUpper(text);
    } else if (absl::ascii_islower(static_cast<unsigned char>(token.pattern[0]))) {
      text = absl::AsciiStrToLower(text);
    }
    out_.append(text);
    if (!token.fill_mode && text.size() < width) out_.append(width - text.size(), ' ');
  }

  bool WriteTime(const std::string& pattern, const TemplateToken& token) {
    if (pattern == "HH24") {
      Number(moment_.hour, moment_.hour < 0 ? 3 : 2, token);
    } else if (pattern == "HH12" || pattern == "HH") {
      Number(moment_.hour % 12 == 0 ? 12 : moment_.hour % 12, 2, token);
    } else if (pattern == "MI") {
      Number(moment_.minute, 2, token);
    } else if (pattern == "SS") {
      Number(moment_.second, 2, token);
    } else if (pattern == "MS") {
      Number(moment_.micros / 1000, 3, token);
    } else if (pattern == "US") {
      Number(moment_.micros, 6, token);
    } else if (absl::StartsWith(pattern, "FF")) {
      const int width = pattern[2] - '0';
      int64_t value = moment_.micros;
      for (int i = width; i < 6; ++i) value /= 10;
      Number(value, width, token);
    } else if (pattern == "SSSS" || pattern == "SSSSS") {
      Number(moment_.hour * 3600 + moment_.minute * 60 + moment_.second, 0, token);
    } else if (pattern == "AM" || pattern == "PM" || pattern == "A.M." || pattern == "P.M.") {
      const bool pm = moment_.hour % 24 >= 12;
      Meridiem(pm ? "PM" : "AM", token);
    } else {
      return false;
    }
    return true;
  }

  // "AM" or "BC" in the pattern's style: dots or none, upper or lower case.
  void Meridiem(string_view word, const TemplateToken& token) {
    std::string text(word);
    if (token.pattern.size() == 4) text = absl::StrCat(word.substr(0, 1), ".", word.substr(1), ".");
    const bool lower = absl::ascii_islower(static_cast<unsigned char>(token.pattern[0]));
    out_.append(lower ? absl::AsciiStrToLower(text) : text);
  }

  bool WriteZone(const std::string& pattern) {
    const int32_t offset = std::abs(moment_.zone_seconds);
    const char sign = moment_.zone_seconds < 0 ? '-' : '+';
    const TemplateToken padded;
    if (pattern == "TZH") {
      out_.push_back(sign);
      Number(offset / 3600, 2, padded);
    } else if (pattern == "TZM") {
      Number(offset / 60 % 60, 2, padded);
    } else if (pattern == "OF") {
      out_.push_back(sign);
      Number(offset / 3600, 2, padded);
      if (offset / 60 % 60 != 0) {
        out_.push_back(':');
        Number(offset / 60 % 60, 2, padded);
      }
    } else if (pattern == "TZ") {
      if (moment_.has_zone && offset == 0) out_.append("UTC");
      if (offset != 0) WriteZone("OF");
    } else {
      return false;
    }
    return true;
  }

  int64_t ShownYear(bool iso) const {
    if (moment_.is_interval) return moment_.year;
    int64_t year = moment_.year;
    if (iso) {
      const auto value =
          ExtractFromDate(DatetimeField::kIsoYear, static_cast<int32_t>(moment_.days));
      if (value.ok()) year = static_cast<int64_t>(*value);
      if (year < 0) ++year;
    }
    return year > 0 ? year : 1 - year;
  }

  bool WriteYear(const std::string& pattern, const TemplateToken& token) {
    const bool iso = pattern[0] == 'I' && (pattern == "I" || pattern[1] == 'Y');
    const bool plain = pattern[0] == 'Y';
    if (pattern == "BC" || pattern == "AD" || pattern == "B.C." || pattern == "A.D.") {
      Meridiem(moment_.year > 0 || moment_.is_interval ? "AD" : "BC", token);
      return true;
    }
    if (pattern == "CC") {
      const int64_t year = ShownYear(false);
      const bool before = !moment_.is_interval && moment_.year <= 0;
      const int64_t century = moment_.is_interval ? year / 100 : (year - 1) / 100 + 1;
      Number(before ? -century : century, century > 99 ? 0 : 2, token);
      return true;
    }
    if (!iso && !plain) return false;
    const int64_t year = ShownYear(iso);
    if (pattern == "Y,YYY") {
      TemplateToken thousands = token;
      thousands.ordinal = false;
      Number(year / 1000, 0, thousands);
      out_.push_back(',');
      TemplateToken rest = token;
      rest.fill_mode = false;
      Number(year % 1000, 3, rest);
      return true;
    }
    const auto digits = static_cast<int>(pattern.size());
    int64_t modulus = 1;
    for (int i = 0; i < digits; ++i) modulus *= 10;
    Number(digits == 4 ? year : year % modulus, digits, token);
    return true;
  }

  bool WriteName(const std::string& pattern, const TemplateToken& token) {
    constexpr size_t kLongest = 9;
    if (pattern == "MONTH") {
      Name(kMonthNames[moment_.month - 1], kLongest, token);
    } else if (pattern == "MON") {
      Name(string_view(kMonthNames[moment_.month - 1]).substr(0, 3), 3, token);
    } else if (pattern == "DAY") {
      Name(kDayNames[Field(DatetimeField::kDow)], kLongest, token);
    } else if (pattern == "DY") {
      Name(string_view(kDayNames[Field(DatetimeField::kDow)]).substr(0, 3), 3, token);
    } else if (pattern == "RM") {
      if (moment_.month < 1) return true;
      Name(kRomanMonths[moment_.month - 1], 4, token);
    } else {
      return false;
    }
    return true;
  }

  int64_t Field(DatetimeField field) const {
    const auto value = ExtractFromDate(field, static_cast<int32_t>(moment_.days));
    return value.ok() ? static_cast<int64_t>(*value) : 0;
  }

  void WriteDay(const std::string& pattern, const TemplateToken& token) {
    constexpr int64_t kJulianOfEpoch = 2440588;
    if (pattern == "MM") {
      Number(moment_.month, 2, token);
    } else if (pattern == "DD") {
      Number(moment_.day, 2, token);
    } else if (pattern == "DDD") {
      Number(Field(DatetimeField::kDoy), 3, token);
    } else if (pattern == "IDDD") {
      Number((Field(DatetimeField::kWeek) - 1) * 7 + Field(DatetimeField::kIsoDow), 3, token);
    } else if (pattern == "D") {
      Number(Field(DatetimeField::kDow) + 1, 0, token);
    } else if (pattern == "ID") {
      Number(Field(DatetimeField::kIsoDow), 0, token);
    } else if (pattern == "WW") {
      Number((Field(DatetimeField::kDoy) - 1) / 7 + 1, 2, token);
    } else if (pattern == "IW") {
      Number(Field(DatetimeField::kWeek), 2, token);
    } else if (pattern == "W") {
      Number((moment_.day - 1) / 7 + 1, 0, token);
    } else if (pattern == "Q") {
      Number(Field(DatetimeField::kQuarter), 0, token);
    } else if (pattern == "J") {
      Number(moment_.days + kJulianOfEpoch, 0, token);
    }
  }

  const Moment& moment_;
  std::string& out_;
};

absl::Status FormatTokens(const std::vector<TemplateToken>& tokens, const Moment& moment,
                          std::string* out) {
  MomentFormatter formatter(moment, out);
  for (const TemplateToken& token : tokens) {
    if (token.pattern.empty()) {
      out->append(token.text);
    } else {
      MR_RETURN_IF_ERROR(formatter.Write(token));
    }
  }
  return absl::OkStatus();
}

void SetTimeOfDay(int64_t micros, Moment* moment) {
  moment->hour = micros / kMicrosPerHour;
  moment->minute = micros / kMicrosPerMinute % 60;
  moment->second = micros / kMicrosPerSecond % 60;
  moment->micros = micros % kMicrosPerSecond;
}

}  // namespace

DatetimeTemplate::DatetimeTemplate(absl::string_view text)
    : tokens_(SplitTemplate(text, kDatetimePatterns)) {}

void DatetimeTemplate::FormatTimestamp(int64_t local_micros, int32_t zone_offset_seconds,
                                       bool has_zone, std::string* out) const {
  Moment moment;
  moment.days = FloorDiv(local_micros, kMicrosPerDay);
  const CivilDate date = CivilFromDays(moment.days);
  moment.year = date.year;
  moment.month = date.month;
  moment.day = date.day;
  SetTimeOfDay(FloorMod(local_micros, kMicrosPerDay), &moment);
  moment.has_zone = has_zone;
  moment.zone_seconds = zone_offset_seconds;
  // Only intervals have patterns that fail.
  FormatTokens(tokens_, moment, out).IgnoreError();
}

absl::Status DatetimeTemplate::FormatInterval(const IntervalParts& interval,
                                              std::string* out) const {
  Moment moment;
  moment.is_interval = true;
  moment.year = interval.months / 12;
  moment.month = interval.months % 12;
  moment.day = interval.days;
  SetTimeOfDay(interval.micros, &moment);
  return FormatTokens(tokens_, moment, out);
}

}  // namespace millrace
