#include "common/types/text_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "common/types/calendar.h"

namespace millrace {
namespace {

void AppendPadded(uint64_t value, int width, std::string* out) {
  char buffer[20];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  const auto length = static_cast<int>(result.ptr - buffer);
  if (length < width) out->append(static_cast<size_t>(width - length), '0');
  out->append(buffer, result.ptr);
}

// ".7" for 700000 microseconds, nothing for 0.
void AppendFraction(int64_t micros, std::string* out) {
  if (micros == 0) return;
  out->push_back('.');
  int width = 6;
  while (micros % 10 == 0) {
    micros /= 10;
    --width;
  }
  AppendPadded(static_cast<uint64_t>(micros), width, out);
}

// "-1.2345e+20" from shortest digits; PostgreSQL's exponents have at least two digits, as
// std::to_chars gives.
template <typename T>
void AppendFloat(T value, int max_fixed_exponent, std::string* out) {
  if (std::isnan(value)) {
    out->append("NaN");
    return;
  }
  if (std::isinf(value)) {
    out->append(value < 0 ? "-Infinity" : "Infinity");
    return;
  }
  char buffer[64];
  const auto scientific =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const char* exponent_at = std::find(buffer, scientific.ptr, 'e');
  int exponent = 0;
  std::from_chars(exponent_at + (exponent_at[1] == '+' ? 2 : 1), scientific.ptr, exponent);
  if (exponent < -4 || exponent >= max_fixed_exponent) {
    out->append(buffer, scientific.ptr);
    return;
  }
  const auto fixed =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  out->append(buffer, fixed.ptr);
}

// "1 year", "-2 mons"; a plus is shown behind a negative part, so that the sign is not read across.
class IntervalWriter {
 public:
  explicit IntervalWriter(std::string* out) : out_(out) {}

  void Part(int64_t value, const char* unit) {
    if (value == 0) return;
    if (any_) out_->push_back(' ');
    if (negative_before_ && value > 0) out_->push_back('+');
    AppendInt64(value, out_);
    out_->push_back(' ');
    out_->append(unit);
    if (value != 1) out_->push_back('s');
    negative_before_ = value < 0;
    any_ = true;
  }

  void Clock(int64_t micros) {
    if (any_ && micros == 0) return;
    if (any_) out_->push_back(' ');
    if (micros < 0) {
      out_->push_back('-');
    } else if (negative_before_) {
      out_->push_back('+');
    }
    const uint64_t magnitude =
        micros < 0 ? uint64_t{0} - static_cast<uint64_t>(micros) : static_cast<uint64_t>(micros);
    AppendPadded(magnitude / kMicrosPerHour, 2, out_);
    out_->push_back(':');
    AppendPadded(magnitude / kMicrosPerMinute % 60, 2, out_);
    out_->push_back(':');
    AppendPadded(magnitude / kMicrosPerSecond % 60, 2, out_);
    AppendFraction(static_cast<int64_t>(magnitude % kMicrosPerSecond), out_);
  }

 private:
  std::string* out_;
  bool any_ = false;
  bool negative_before_ = false;
};

// "2024-02-29"; true if the year is before 1, which " BC" at the very end says.
bool AppendDay(int64_t days, std::string* out) {
  const CivilDate date = CivilFromDays(days);
  const bool before_christ = date.year <= 0;
  AppendPadded(static_cast<uint64_t>(before_christ ? 1 - date.year : date.year), 4, out);
  out->push_back('-');
  AppendPadded(static_cast<uint64_t>(date.month), 2, out);
  out->push_back('-');
  AppendPadded(static_cast<uint64_t>(date.day), 2, out);
  return before_christ;
}

bool AppendDayAndTime(int64_t micros, std::string* out) {
  const bool before_christ = AppendDay(FloorDiv(micros, kMicrosPerDay), out);
  out->push_back(' ');
  AppendTime(FloorMod(micros, kMicrosPerDay), out);
  return before_christ;
}

constexpr char kHexDigits[] = "0123456789abcdef";

void AppendHex(uint8_t byte, std::string* out) {
  out->push_back(kHexDigits[byte >> 4]);
  out->push_back(kHexDigits[byte & 15]);
}

}  // namespace

void AppendBool(bool value, std::string* out) { out->push_back(value ? 't' : 'f'); }

void AppendInt64(int64_t value, std::string* out) {
  char buffer[24];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  out->append(buffer, result.ptr);
}

void AppendFloat32(float value, std::string* out) { AppendFloat(value, 6, out); }
void AppendFloat64(double value, std::string* out) { AppendFloat(value, 15, out); }

void AppendNumeric(__int128 unscaled, int32_t scale, std::string* out) {
  char buffer[48];
  char* p = buffer + sizeof(buffer);
  auto magnitude = unscaled < 0 ? -static_cast<unsigned __int128>(unscaled)
                                : static_cast<unsigned __int128>(unscaled);
  int num_digits = 0;
  // One division of 128 bits for 18 digits; the rest is done in 64 bits.
  constexpr uint64_t kChunk = 1'000'000'000'000'000'000;
  while (magnitude > 0 || num_digits <= scale) {
    auto chunk = static_cast<uint64_t>(magnitude % kChunk);
    magnitude /= kChunk;
    for (int i = 0; i < 18 && (chunk > 0 || magnitude > 0 || num_digits <= scale); ++i) {
      if (num_digits == scale && scale > 0) *--p = '.';
      *--p = static_cast<char>('0' + chunk % 10);
      chunk /= 10;
      ++num_digits;
    }
  }
  if (unscaled < 0) *--p = '-';
  out->append(p, buffer + sizeof(buffer));
}

void AppendDate(int64_t days, std::string* out) {
  if (AppendDay(days, out)) out->append(" BC");
}

void AppendTime(int64_t micros, std::string* out) {
  AppendPadded(static_cast<uint64_t>(micros / kMicrosPerHour), 2, out);
  out->push_back(':');
  AppendPadded(static_cast<uint64_t>(micros / kMicrosPerMinute % 60), 2, out);
  out->push_back(':');
  AppendPadded(static_cast<uint64_t>(micros / kMicrosPerSecond % 60), 2, out);
  AppendFraction(micros % kMicrosPerSecond, out);
}

void AppendTimestamp(int64_t micros, std::string* out) {
  if (AppendDayAndTime(micros, out)) out->append(" BC");
}

void AppendTimestampTz(int64_t micros, int32_t zone_offset_seconds, std::string* out) {
  const bool before_christ = AppendDayAndTime(micros + zone_offset_seconds * kMicrosPerSecond, out);
  const auto offset = static_cast<uint64_t>(std::abs(zone_offset_seconds));
  out->push_back(zone_offset_seconds < 0 ? '-' : '+');
  AppendPadded(offset / 3600, 2, out);
  if (offset % 3600 != 0) {
    out->push_back(':');
    AppendPadded(offset / 60 % 60, 2, out);
  }
  if (offset % 60 != 0) {
    out->push_back(':');
    AppendPadded(offset % 60, 2, out);
  }
  if (before_christ) out->append(" BC");
}

void AppendInterval(const IntervalParts& interval, std::string* out) {
  IntervalWriter writer(out);
  writer.Part(interval.months / 12, "year");
  writer.Part(interval.months % 12, "mon");
  writer.Part(interval.days, "day");
  writer.Clock(interval.micros);
}

void AppendUuid(const uint8_t bytes[16], std::string* out) {
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out->push_back('-');
    AppendHex(bytes[i], out);
  }
}

void AppendBytea(absl::string_view bytes, std::string* out) {
  out->append("\\x");
  for (char c : bytes) AppendHex(static_cast<uint8_t>(c), out);
}

}  // namespace millrace
