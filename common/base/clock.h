#pragma once

#include <cstdint>

namespace millrace {

// Time as the process sees it; a seam, so that tests drive time by hand. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since an arbitrary start; never goes back.
  virtual int64_t MonotonicMicros() const = 0;
  // Microseconds since 1970-01-01 UTC; may jump.
  virtual int64_t WallMicros() const = 0;
};

// The operating system's clock. Owned by the process, never destroyed.
const Clock& SystemClock();

}  // namespace millrace
