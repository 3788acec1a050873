#include <cstdlib>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/types/calendar.h"
#include "common/types/char_class.h"
#include "common/types/datetime_scanner.h"
#include "common/types/text_parse.h"

namespace millrace {
namespace {

// What a date and time text says. Parts that are missing keep their defaults.
struct DatetimeText {
  bool has_date = false;
  int64_t days = 0;
  bool has_time = false;
  int64_t micros = 0;
  bool has_zone = false;
  int32_t zone_seconds = 0;
};

bool MakeDays(int64_t year, int32_t month, int32_t day, int64_t* days) {
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month)) return false;
  *days = DaysFromCivil(year, month, day);
  return *days >= kMinDateDays && *days <= kMaxDateDays;
}

// "YYYY-MM-DD" at the start of `text`, the form of nearly all input.
bool TakeIsoDate(absl::string_view* text, int64_t* days) {
  if (text->size() < 10) return false;
  const char* p = text->data();
  const auto digit = [p](int i) {
    return static_cast<uint32_t>(static_cast<unsigned char>(p[i]) - '0');
  };
  const bool all_digits = digit(0) <= 9 && digit(1) <= 9 && digit(2) <= 9 && digit(3) <= 9 &&
                          digit(5) <= 9 && digit(6) <= 9 && digit(8) <= 9 && digit(9) <= 9;
  if (!all_digits || p[4] != '-' || p[7] != '-') return false;
  if (text->size() > 10 && IsDigitChar(p[10])) return false;
  const auto year =
      static_cast<int32_t>(digit(0) * 1000 + digit(1) * 100 + digit(2) * 10 + digit(3));
  if (year == 0) return false;
  text->remove_prefix(10);
  return MakeDays(year, static_cast<int32_t>(digit(5) * 10 + digit(6)),
                  static_cast<int32_t>(digit(8) * 10 + digit(9)), days);
}

// ':MM[:SS[.f…]]' behind the hours.
bool TakeTimeOfDay(DatetimeScanner* scanner, int64_t hours, int64_t* micros) {
  int64_t minutes = 0;
  int64_t second_micros = 0;
  if (!scanner->TakeChar(':') || !scanner->TakeNumber(2, &minutes)) return false;
  if (scanner->TakeChar(':') && !scanner->TakeSeconds(&second_micros)) return false;
  if (hours > 24 || minutes > 59 || second_micros > kMicrosPerMinute) return false;
  *micros = hours * kMicrosPerHour + minutes * kMicrosPerMinute + second_micros;
  return *micros <= kMicrosPerDay;
}

// Z, UTC, GMT, ±HH, ±HHMM, ±HH:MM[:SS].
bool TakeZone(DatetimeScanner* scanner, int32_t* seconds) {
  *seconds = 0;
  if (scanner->TakeWord("zulu") || scanner->TakeWord("z") || scanner->TakeWord("utc") ||
      scanner->TakeWord("gmt")) {
    return true;
  }
  const bool negative = scanner->TakeChar('-');
  if (!negative && !scanner->TakeChar('+')) return false;
  const size_t num_digits = scanner->CountDigits();
  int64_t hours = 0;
  int64_t minutes = 0;
  int64_t rest = 0;
  if (num_digits == 0 || num_digits > 4 || !scanner->TakeNumber(4, &hours)) return false;
  if (num_digits > 2) {
    minutes = hours % 100;
    hours /= 100;
  } else if (scanner->TakeChar(':')) {
    if (!scanner->TakeNumber(2, &minutes)) return false;
    if (scanner->TakeChar(':') && !scanner->TakeNumber(2, &rest)) return false;
  }
  if (hours > 15 || minutes > 59 || rest > 59) return false;
  const auto total = static_cast<int32_t>(hours * 3600 + minutes * 60 + rest);
  *seconds = negative ? -total : total;
  return true;
}

// Two-digit years belong to 1970–2069.
int64_t ExpandYear(int64_t year, size_t num_digits) {
  if (num_digits > 2) return year;
  return year + (year < 70 ? 2000 : 1900);
}

struct DateFields {
  int64_t year = 0;
  int64_t month = 0;
  int64_t day = 0;
};

// A date that begins with a number: Y-M-D, M/D/Y, D-Mon-Y, Y-Mon-D, "D Mon Y", YYYYMMDD.
bool TakeNumericDate(DatetimeScanner* scanner, DateFields* out) {
  const size_t first_digits = scanner->CountDigits();
  int64_t first = 0;
  if (!scanner->TakeNumber(8, &first)) return false;
  if (first_digits == 8) {
    *out = DateFields{first / 10000, first / 100 % 100, first % 100};
    return true;
  }
  const char separator = scanner->TakeDateSeparator();
  if (separator == 0) return false;
  int month = 0;
  if (scanner->TakeMonthName(&month)) {
    scanner->TakeDateSeparator();
    const size_t last_digits = scanner->CountDigits();
    int64_t last = 0;
    if (!scanner->TakeNumber(7, &last)) return false;
    const bool year_first = first_digits > 2;
    *out = year_first ? DateFields{first, month, last}
                      : DateFields{ExpandYear(last, last_digits), month, first};
    return true;
  }
  int64_t second = 0;
  int64_t third = 0;
  if (!scanner->TakeNumber(2, &second) || scanner->TakeDateSeparator() != separator) return false;
  const size_t third_digits = scanner->CountDigits();
  if (!scanner->TakeNumber(7, &third)) return false;
  *out = first_digits > 2 ? DateFields{first, second, third}
                          : DateFields{ExpandYear(third, third_digits), first, second};
  return true;
}

// "January 8, 1999", "Jan-08-1999".
bool TakeNamedDate(DatetimeScanner* scanner, DateFields* out) {
  int month = 0;
  if (!scanner->TakeMonthName(&month)) return false;
  scanner->TakeDateSeparator();
  int64_t day = 0;
  int64_t year = 0;
  if (!scanner->TakeNumber(2, &day)) return false;
  scanner->TakeChar(',');
  scanner->TakeDateSeparator();
  const size_t year_digits = scanner->CountDigits();
  if (!scanner->TakeNumber(7, &year)) return false;
  *out = DateFields{ExpandYear(year, year_digits), month, day};
  return true;
}

// "040506" or "0405".
bool TakeCompactTime(DatetimeScanner* scanner, int64_t* micros) {
  const bool has_seconds = scanner->CountDigits() == 6;
  int64_t number = 0;
  int64_t fraction = 0;
  if (!scanner->TakeNumber(6, &number)) return false;
  if (has_seconds && !scanner->TakeFraction(&fraction)) return false;
  if (!has_seconds) number *= 100;
  const int64_t hours = number / 10000;
  const int64_t minutes = number / 100 % 100;
  const int64_t seconds = number % 100;
  if (hours > 24 || minutes > 59 || seconds > 60) return false;
  *micros =
      hours * kMicrosPerHour + minutes * kMicrosPerMinute + seconds * kMicrosPerSecond + fraction;
  return *micros <= kMicrosPerDay;
}

bool TakeTimePart(DatetimeScanner* scanner, DatetimeText* out) {
  const size_t num_digits = scanner->CountDigits();
  if (num_digits == 4 || num_digits == 6) {
    out->has_time = TakeCompactTime(scanner, &out->micros);
    return out->has_time;
  }
  int64_t hours = 0;
  if (!scanner->TakeNumber(2, &hours) || !TakeTimeOfDay(scanner, hours, &out->micros)) return false;
  out->has_time = true;
  scanner->SkipSpace();
  const bool pm = scanner->TakeWord("pm");
  if (pm || scanner->TakeWord("am")) {
    if (hours < 1 || hours > 12) return false;
    out->micros += ((pm ? 12 : 0) - (hours == 12 ? 12 : 0)) * kMicrosPerHour;
    scanner->SkipSpace();
  }
  return true;
}

bool TakeDatePart(DatetimeScanner* scanner, bool* before_christ, DateFields* fields) {
  scanner->TakeDayName();
  *before_christ = false;
  return scanner->CountDigits() > 0 ? TakeNumericDate(scanner, fields)
                                    : TakeNamedDate(scanner, fields);
}

// Everything but the fast form: [weekday] date [T] [time] [zone] [BC].
bool ParseGeneral(absl::string_view text, DatetimeText* out) {
  DatetimeScanner scanner(text);
  if (scanner.TakeWord("epoch")) {
    out->has_date = out->has_time = out->has_zone = true;
    return scanner.AtEnd();
  }
  bool before_christ = false;
  DateFields date;
  if (!TakeDatePart(&scanner, &before_christ, &date)) return false;
  out->has_date = true;
  scanner.SkipSpace();
  if (scanner.TakeChar('T') || scanner.TakeChar('t')) scanner.SkipSpace();
  if (scanner.CountDigits() > 0 && !TakeTimePart(&scanner, out)) return false;
  scanner.SkipSpace();
  if (scanner.TakeWord("bc")) {
    before_christ = true;
  } else if (!scanner.TakeWord("ad") && out->has_time && !scanner.AtEnd()) {
    out->has_zone = TakeZone(&scanner, &out->zone_seconds);
    scanner.SkipSpace();
    before_christ = scanner.TakeWord("bc");
  }
  if (!scanner.AtEnd() || date.year == 0) return false;
  const int64_t year = before_christ ? 1 - date.year : date.year;
  return MakeDays(year, static_cast<int32_t>(date.month), static_cast<int32_t>(date.day),
                  &out->days);
}

// "HH:MM:SS[.f…]" and nothing else behind an ISO date.
bool TakePlainTime(absl::string_view text, int64_t* micros) {
  DatetimeScanner scanner(text);
  int64_t hours = 0;
  return scanner.TakeNumber(2, &hours) && TakeTimeOfDay(&scanner, hours, micros) && scanner.AtEnd();
}

bool ParseDatetime(absl::string_view text, DatetimeText* out) {
  text = TrimSpace(text);
  absl::string_view rest = text;
  if (TakeIsoDate(&rest, &out->days)) {
    out->has_date = true;
    if (rest.empty()) return true;
    if ((rest[0] == ' ' || rest[0] == 'T') && TakePlainTime(rest.substr(1), &out->micros)) {
      out->has_time = true;
      return true;
    }
  }
  *out = DatetimeText();
  return ParseGeneral(text, out);
}

bool ToTimestamp(const DatetimeText& parts, int32_t zone_seconds, int64_t* out) {
  int64_t micros = 0;
  if (__builtin_mul_overflow(parts.days, kMicrosPerDay, &micros)) return false;
  if (__builtin_add_overflow(micros, parts.micros, &micros)) return false;
  if (__builtin_sub_overflow(micros, int64_t{zone_seconds} * kMicrosPerSecond, &micros))
    return false;
  if (micros < kMinTimestampMicros) return false;
  *out = micros;
  return true;
}

}  // namespace

bool ParseDate(absl::string_view text, int32_t* out) {
  DatetimeText parts;
  if (!ParseDatetime(text, &parts)) return false;
  *out = static_cast<int32_t>(parts.days);
  return true;
}

bool ParseTime(absl::string_view text, int64_t* out) {
  text = TrimSpace(text);
  DatetimeText parts;
  DatetimeScanner scanner(text);
  if (TakeTimePart(&scanner, &parts)) {
    // A zone is read and ignored, as for a timestamp without one.
    int32_t zone_seconds = 0;
    if (!scanner.AtEnd() && !TakeZone(&scanner, &zone_seconds)) return false;
    *out = parts.micros;
    return scanner.AtEnd();
  }
  parts = DatetimeText();
  if (!ParseDatetime(text, &parts) || !parts.has_time) return false;
  *out = parts.micros;
  return true;
}

bool ParseTimestamp(absl::string_view text, int64_t* out) {
  DatetimeText parts;
  return ParseDatetime(text, &parts) && ToTimestamp(parts, 0, out);
}

bool ParseTimestampTz(absl::string_view text, int32_t zone_offset_seconds, int64_t* out) {
  DatetimeText parts;
  if (!ParseDatetime(text, &parts)) return false;
  return ToTimestamp(parts, parts.has_zone ? parts.zone_seconds : zone_offset_seconds, out);
}

}  // namespace millrace
