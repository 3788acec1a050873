#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "common/types/calendar.h"
#include "common/types/datetime_scanner.h"
#include "common/types/text_parse.h"

namespace millrace {
namespace {

enum class Unit : uint8_t {
  kMicrosecond,
  kMillisecond,
  kSecond,
  kMinute,
  kHour,
  kDay,
  kWeek,
  kMonth,
  kYear,
  kDecade,
  kCentury,
  kMillennium,
};

struct UnitName {
  absl::string_view name;
  Unit unit;
};

constexpr UnitName kUnitNames[] = {
    {"us", Unit::kMicrosecond},
    {"usec", Unit::kMicrosecond},
    {"usecs", Unit::kMicrosecond},
    {"microsecond", Unit::kMicrosecond},
    {"microseconds", Unit::kMicrosecond},
    {"usecond", Unit::kMicrosecond},
    {"useconds", Unit::kMicrosecond},
    {"ms", Unit::kMillisecond},
    {"msec", Unit::kMillisecond},
    {"msecs", Unit::kMillisecond},
    {"millisecond", Unit::kMillisecond},
    {"milliseconds", Unit::kMillisecond},
    {"msecond", Unit::kMillisecond},
    {"mseconds", Unit::kMillisecond},
    {"s", Unit::kSecond},
    {"sec", Unit::kSecond},
    {"secs", Unit::kSecond},
    {"second", Unit::kSecond},
    {"seconds", Unit::kSecond},
    {"m", Unit::kMinute},
    {"min", Unit::kMinute},
    {"mins", Unit::kMinute},
    {"minute", Unit::kMinute},
    {"minutes", Unit::kMinute},
    {"h", Unit::kHour},
    {"hr", Unit::kHour},
    {"hrs", Unit::kHour},
    {"hour", Unit::kHour},
    {"hours", Unit::kHour},
    {"d", Unit::kDay},
    {"day", Unit::kDay},
    {"days", Unit::kDay},
    {"w", Unit::kWeek},
    {"week", Unit::kWeek},
    {"weeks", Unit::kWeek},
    {"mon", Unit::kMonth},
    {"mons", Unit::kMonth},
    {"month", Unit::kMonth},
    {"months", Unit::kMonth},
    {"y", Unit::kYear},
    {"yr", Unit::kYear},
    {"yrs", Unit::kYear},
    {"year", Unit::kYear},
    {"years", Unit::kYear},
    {"dec", Unit::kDecade},
    {"decs", Unit::kDecade},
    {"decade", Unit::kDecade},
    {"decades", Unit::kDecade},
    {"c", Unit::kCentury},
    {"cent", Unit::kCentury},
    {"century", Unit::kCentury},
    {"centuries", Unit::kCentury},
    {"mil", Unit::kMillennium},
    {"mils", Unit::kMillennium},
    {"millennium", Unit::kMillennium},
    {"millennia", Unit::kMillennium},
};

bool FindUnit(absl::string_view word, Unit* unit) {
  for (const UnitName& entry : kUnitNames) {
    if (absl::EqualsIgnoreCase(entry.name, word)) {
      *unit = entry.unit;
      return true;
    }
  }
  return false;
}

Unit FromDefault(IntervalUnit unit) {
  switch (unit) {
    case IntervalUnit::kMonth:
      return Unit::kMonth;
    case IntervalUnit::kYear:
      return Unit::kYear;
    case IntervalUnit::kDay:
      return Unit::kDay;
    case IntervalUnit::kHour:
      return Unit::kHour;
    case IntervalUnit::kMinute:
      return Unit::kMinute;
    case IntervalUnit::kSecond:
      return Unit::kSecond;
  }
  return Unit::kSecond;
}

// A signed number as written: whole part and fraction apart, because whole units are exact.
struct Quantity {
  int64_t whole = 0;
  double fraction = 0;
};

// Sums the parts of an interval in 64 bits and checks the ranges at the end.
class IntervalSum {
 public:
  bool Add(const Quantity& quantity, Unit unit) {
    switch (unit) {
      case Unit::kMicrosecond:
        return AddMicros(quantity, 1);
      case Unit::kMillisecond:
        return AddMicros(quantity, 1000);
      case Unit::kSecond:
        return AddMicros(quantity, kMicrosPerSecond);
      case Unit::kMinute:
        return AddMicros(quantity, kMicrosPerMinute);
      case Unit::kHour:
        return AddMicros(quantity, kMicrosPerHour);
      case Unit::kDay:
        return AddDays(quantity, 1);
      case Unit::kWeek:
        return AddDays(quantity, 7);
      case Unit::kMonth:
        return AddTo(&months_, quantity.whole, 1) &&
               AddDays(Quantity{0, quantity.fraction * 30}, 1);
      case Unit::kYear:
        return AddYears(quantity, 1);
      case Unit::kDecade:
        return AddYears(quantity, 10);
      case Unit::kCentury:
        return AddYears(quantity, 100);
      case Unit::kMillennium:
        return AddYears(quantity, 1000);
    }
    return false;
  }

  void Negate() {
    months_ = -months_;
    days_ = -days_;
    micros_ = -micros_;
  }

  bool Finish(IntervalParts* out) const {
    const auto fits = [](int64_t value) {
      return value >= std::numeric_limits<int32_t>::min() &&
             value <= std::numeric_limits<int32_t>::max();
    };
    // Arrow keeps the time in nanoseconds.
    constexpr int64_t kMaxMicros = std::numeric_limits<int64_t>::max() / 1000;
    const bool time_fits = micros_ <= kMaxMicros && micros_ >= -kMaxMicros;
    if (!fits(months_) || !fits(days_) || !time_fits) return false;
    *out = IntervalParts{static_cast<int32_t>(months_), static_cast<int32_t>(days_), micros_};
    return true;
  }

 private:
  static bool AddTo(int64_t* sum, int64_t count, int64_t factor) {
    int64_t product = 0;
    return !__builtin_mul_overflow(count, factor, &product) &&
           !__builtin_add_overflow(*sum, product, sum);
  }
  bool AddMicros(const Quantity& quantity, int64_t unit) {
    const double fraction = quantity.fraction * static_cast<double>(unit);
    return AddTo(&micros_, quantity.whole, unit) && AddTo(&micros_, std::llrint(fraction), 1);
  }
  // A fraction of a day becomes hours.
  bool AddDays(const Quantity& quantity, int64_t unit) {
    const double fraction = quantity.fraction * static_cast<double>(unit);
    const double whole = std::trunc(fraction);
    if (!AddTo(&days_, quantity.whole, unit) || !AddTo(&days_, static_cast<int64_t>(whole), 1)) {
      return false;
    }
    return AddTo(&micros_, std::llrint((fraction - whole) * static_cast<double>(kMicrosPerDay)), 1);
  }
  // A fraction of a year becomes whole months, rounded, as in PostgreSQL 15.
  bool AddYears(const Quantity& quantity, int64_t years) {
    const double months = quantity.fraction * static_cast<double>(years) * 12;
    return AddTo(&months_, quantity.whole, years * 12) && AddTo(&months_, std::llrint(months), 1);
  }

  int64_t months_ = 0;
  int64_t days_ = 0;
  int64_t micros_ = 0;
};

// Digits with an optional fraction; `negative` applies to both.
bool TakeQuantity(DatetimeScanner* scanner, bool negative, Quantity* out) {
  int64_t whole = 0;
  const bool has_whole = scanner->TakeNumber(18, &whole);
  double fraction = 0;
  if (scanner->TakeChar('.')) {
    double place = 0.1;
    const size_t n = scanner->CountDigits();
    if (n == 0 && !has_whole) return false;
    for (size_t i = 0; i < n; ++i, place /= 10) fraction += (scanner->rest()[i] - '0') * place;
    scanner->Skip(n);
  } else if (!has_whole) {
    return false;
  }
  *out = negative ? Quantity{-whole, -fraction} : Quantity{whole, fraction};
  return true;
}

bool TakeSign(DatetimeScanner* scanner) {
  const bool negative = scanner->TakeChar('-');
  if (!negative) scanner->TakeChar('+');
  return negative;
}

// "MM[:SS[.f]]" behind "HH:" or "MM:SS.f" where the first number was minutes (a fraction follows).
bool TakeClock(DatetimeScanner* scanner, int64_t first, bool negative, IntervalSum* sum) {
  int64_t second = 0;
  if (!scanner->TakeNumber(2, &second)) return false;
  int64_t hours = first;
  int64_t minutes = second;
  int64_t micros = 0;
  if (scanner->Peek() == '.') {
    hours = 0;
    minutes = first;
    if (!scanner->TakeFraction(&micros)) return false;
    micros += second * kMicrosPerSecond;
  } else if (scanner->TakeChar(':') && !scanner->TakeSeconds(&micros)) {
    return false;
  }
  if (minutes > 59 || micros >= kMicrosPerMinute) return false;
  int64_t total = 0;
  if (__builtin_mul_overflow(hours, kMicrosPerHour, &total)) return false;
  total += minutes * kMicrosPerMinute + micros;
  return sum->Add(Quantity{negative ? -total : total, 0}, Unit::kMicrosecond);
}

// Whether a number without a unit counts days: "3 04:05:06", or '1 2' read as DAY TO HOUR.
bool CountsDays(const DatetimeScanner& scanner, Unit default_unit) {
  const absl::string_view rest = scanner.rest();
  if (rest.empty()) return false;
  const absl::string_view next = rest.substr(0, rest.find(' '));
  return absl::StrContains(next, ':') || default_unit == Unit::kHour;
}

// One "number [unit]", "HH:MM:SS" or "years-months".
bool TakeItem(DatetimeScanner* scanner, Unit default_unit, IntervalSum* sum) {
  const bool negative = TakeSign(scanner);
  Quantity quantity;
  if (!TakeQuantity(scanner, negative, &quantity)) return false;
  if (scanner->TakeChar(':')) return TakeClock(scanner, std::abs(quantity.whole), negative, sum);
  if (scanner->Peek() == '-' && quantity.fraction == 0) {
    int64_t months = 0;
    scanner->Skip(1);
    if (!scanner->TakeNumber(2, &months) || months > 11) return false;
    return sum->Add(quantity, Unit::kYear) &&
           sum->Add(Quantity{negative ? -months : months, 0}, Unit::kMonth);
  }
  scanner->SkipSpace();
  const absl::string_view word = scanner->PeekWord();
  Unit unit = default_unit;
  if (!word.empty() && !absl::EqualsIgnoreCase(word, "ago")) {
    if (!FindUnit(word, &unit)) return false;
    scanner->Skip(word.size());
  } else if (word.empty() && CountsDays(*scanner, default_unit)) {
    unit = Unit::kDay;
  } else if (word.empty() && !scanner->AtEnd()) {
    // Two numbers in a row would both count the same unit.
    return false;
  }
  return sum->Add(quantity, unit);
}

// ISO 8601 with designators, behind the P.
bool ParseIso(DatetimeScanner scanner, IntervalParts* out) {
  IntervalSum sum;
  bool in_time = false;
  bool any = false;
  while (!scanner.AtEnd()) {
    if (!in_time && scanner.TakeChar('T')) {
      in_time = true;
      continue;
    }
    const bool negative = TakeSign(&scanner);
    Quantity quantity;
    if (!TakeQuantity(&scanner, negative, &quantity)) return false;
    const char designator = scanner.Peek();
    const absl::string_view allowed = in_time ? "HMS" : "YMWD";
    if (designator == '\0' || !absl::StrContains(allowed, designator)) return false;
    scanner.Skip(1);
    const Unit unit = designator == 'Y'   ? Unit::kYear
                      : designator == 'W' ? Unit::kWeek
                      : designator == 'D' ? Unit::kDay
                      : designator == 'H' ? Unit::kHour
                      : designator == 'S' ? Unit::kSecond
                      : in_time           ? Unit::kMinute
                                          : Unit::kMonth;
    if (!sum.Add(quantity, unit)) return false;
    any = true;
  }
  return any && sum.Finish(out);
}

}  // namespace

bool ParseInterval(absl::string_view text, IntervalUnit default_unit, IntervalParts* out) {
  DatetimeScanner scanner(TrimSpace(text));
  if (scanner.TakeChar('P')) return ParseIso(scanner, out);
  if (scanner.TakeChar('@')) scanner.SkipSpace();
  IntervalSum sum;
  bool any = false;
  while (!scanner.AtEnd()) {
    if (any && scanner.TakeWord("ago")) {
      sum.Negate();
      scanner.SkipSpace();
      return scanner.AtEnd() && sum.Finish(out);
    }
    if (!TakeItem(&scanner, FromDefault(default_unit), &sum)) return false;
    any = true;
    scanner.SkipSpace();
    // "1 day, 2 hours"
    if (scanner.TakeChar(',')) scanner.SkipSpace();
  }
  return any && sum.Finish(out);
}

}  // namespace millrace
