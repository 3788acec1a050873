#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "worker/runtime/wakeable.h"

namespace millrace {

class ActorPool;

// Something that runs in steps on an ActorPool, never on two threads at once. Made as a shared_ptr;
// the pool holds on to it while it is scheduled.
class Actor : public Wakeable, public std::enable_shared_from_this<Actor> {
 public:
  enum class StepResult : uint8_t {
    // There is more to do.
    kReady,
    // Nothing to do until somebody calls Wake. A Wake during the step is not lost.
    kIdle,
    // Never step again.
    kDone,
  };

  explicit Actor(ActorPool& pool) : pool_(pool) {}
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  void Wake() final;

 protected:
  // A bounded amount of work, some milliseconds; never blocks.
  virtual StepResult Step() = 0;

 private:
  friend class ActorPool;
  enum class State : uint8_t { kIdle, kScheduled, kRunning, kRunningAndWoken, kDone };

  ActorPool& pool_;
  std::atomic<State> state_{State::kIdle};
};

}  // namespace millrace
