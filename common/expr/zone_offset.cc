#include "common/expr/zone_offset.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/types/calendar.h"
#include "common/types/datetime_scanner.h"

namespace millrace {
namespace {

// [+-]HH[[:]MM[:SS]]; seconds as written, before any change of sign.
bool ParseOffset(absl::string_view text, int32_t* seconds) {
  DatetimeScanner scanner(text);
  const bool negative = scanner.TakeChar('-');
  if (!negative && !scanner.TakeChar('+')) return false;
  const size_t num_digits = scanner.CountDigits();
  int64_t hours = 0;
  int64_t minutes = 0;
  int64_t rest = 0;
  if (!scanner.TakeNumber(4, &hours)) return false;
  if (num_digits > 2) {
    minutes = hours % 100;
    hours /= 100;
  } else if (scanner.TakeChar(':')) {
    if (!scanner.TakeNumber(2, &minutes)) return false;
    if (scanner.TakeChar(':') && !scanner.TakeNumber(2, &rest)) return false;
  }
  if (!scanner.AtEnd() || hours > 15 || minutes > 59 || rest > 59) return false;
  const auto total = static_cast<int32_t>(hours * 3600 + minutes * 60 + rest);
  *seconds = negative ? -total : total;
  return true;
}

}  // namespace

ZoneOffset ZoneOffset::Fixed(int32_t seconds_east) {
  ZoneOffset zone;
  zone.seconds_east_ = seconds_east;
  return zone;
}

absl::StatusOr<ZoneOffset> ZoneOffset::Parse(absl::string_view name) {
  const std::string upper = absl::AsciiStrToUpper(TrimSpace(name));
  if (upper == "UTC" || upper == "GMT" || upper == "Z" || upper == "ZULU") return Fixed(0);
  int32_t seconds = 0;
  // In a zone's name PostgreSQL counts POSIX's way: positive is west of Greenwich, with or without
  // letters.
  absl::string_view posix = upper;
  if (absl::StartsWith(posix, "UTC") || absl::StartsWith(posix, "GMT")) posix.remove_prefix(3);
  if (ParseOffset(posix, &seconds)) return Fixed(-seconds);
  ZoneOffset zone;
  zone.is_fixed_ = false;
  const std::string trimmed(TrimSpace(name));
  // A name with dots or a leading slash would be a path.
  const bool is_name = !trimmed.empty() && !absl::StrContains(trimmed, '.') && trimmed[0] != '/';
  if (is_name && absl::LoadTimeZone(trimmed, &zone.zone_)) return zone;
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("time zone \"", name, "\" not recognized"));
}

int64_t ZoneOffset::ToLocal(int64_t utc_micros) const {
  if (is_fixed_) return utc_micros + seconds_east_ * kMicrosPerSecond;
  const absl::Time time = absl::FromUnixMicros(utc_micros);
  return utc_micros + zone_.At(time).offset * kMicrosPerSecond;
}

int64_t ZoneOffset::ToUtc(int64_t local_micros) const {
  if (is_fixed_) return local_micros - seconds_east_ * kMicrosPerSecond;
  const int64_t fraction = FloorMod(local_micros, kMicrosPerSecond);
  const absl::CivilSecond local =
      absl::CivilSecond(1970, 1, 1) + FloorDiv(local_micros, kMicrosPerSecond);
  const absl::TimeZone::TimeInfo info = zone_.At(local);
  const bool repeated = info.kind == absl::TimeZone::TimeInfo::REPEATED;
  return absl::ToUnixMicros(repeated ? info.post : info.pre) + fraction;
}

}  // namespace millrace
