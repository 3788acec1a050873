#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace millrace {

// A time zone of AT TIME ZONE: UTC, a fixed offset ("+02", "-05:30"), or a name of the tz database
// ("Europe/Berlin").
class ZoneOffset {
 public:
  // 22023 for a zone that nobody knows.
  static absl::StatusOr<ZoneOffset> Parse(absl::string_view name);
  static ZoneOffset Fixed(int32_t seconds_east);

  // Local microseconds of a UTC time and back. A local time that does not exist is read with the
  // offset before the gap, one that exists twice with the later offset, as PostgreSQL does.
  int64_t ToLocal(int64_t utc_micros) const;
  int64_t ToUtc(int64_t local_micros) const;

 private:
  bool is_fixed_ = true;
  int32_t seconds_east_ = 0;
  absl::TimeZone zone_;
};

}  // namespace millrace
