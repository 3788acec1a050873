#pragma once

namespace millrace {

// Something that waits and can be told to look again, such as a task on the actor pool. Wake is
// thread-safe, never blocks, and may be called at any time, also for nothing; callers hold no lock
// that the woken side could want.
class Wakeable {
 public:
  virtual ~Wakeable() = default;
  virtual void Wake() = 0;
};

}  // namespace millrace
