#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Numbers with units, as options, settings and the configuration write them.

namespace millrace {

// Microseconds of "30 s", "500ms", "1 h 30 min", "2 days", "1.5 seconds". Units: us, ms, s, m, h, d
// and their names; a unit is required, except for "0". 22023 if it does not parse or is negative or
// out of range.
absl::StatusOr<int64_t> ParseDurationMicros(absl::string_view text);

// Bytes of "64 MiB", "1.5GB", "4096". Units: B, kB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB,
// TiB; without a unit: bytes. 22023 as above.
absl::StatusOr<uint64_t> ParseByteSize(absl::string_view text);

}  // namespace millrace
