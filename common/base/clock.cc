#include "common/base/clock.h"

#include <chrono>

namespace millrace {
namespace {

class OsClock final : public Clock {
 public:
  int64_t MonotonicMicros() const override {
    return Micros(std::chrono::steady_clock::now().time_since_epoch());
  }
  int64_t WallMicros() const override {
    return Micros(std::chrono::system_clock::now().time_since_epoch());
  }

 private:
  template <typename Duration>
  static int64_t Micros(Duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  }
};

}  // namespace

const Clock& SystemClock() {
  static const OsClock* const clock = new OsClock();
  return *clock;
}

}  // namespace millrace
