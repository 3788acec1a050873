#pragma once

#include <signal.h>

#include <array>
#include <functional>
#include <memory>

namespace millrace {

// Calls `on_interrupt` on a thread of its own for the first SIGINT, SIGTERM or SIGHUP; a second
// signal ends the process at once with code 130. SIGPIPE is ignored. One instance at a time; create
// it before any other thread, because it blocks the signals for all threads started afterwards.
class InterruptWatcher {
 public:
  explicit InterruptWatcher(std::function<void()> on_interrupt);
  ~InterruptWatcher();
  InterruptWatcher(const InterruptWatcher&) = delete;
  InterruptWatcher& operator=(const InterruptWatcher&) = delete;

  // True once a signal came.
  bool interrupted() const;
  // Waits for a signal.
  void Wait();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// While it lives, a SIGINT, SIGTERM or SIGHUP ends the process at once with code 130: for calls
// that block and that nothing else can end, as reading from a pipe. Of no use once an
// InterruptWatcher was there, because that blocks the signals.
class EndAtInterrupt {
 public:
  EndAtInterrupt();
  ~EndAtInterrupt();
  EndAtInterrupt(const EndAtInterrupt&) = delete;
  EndAtInterrupt& operator=(const EndAtInterrupt&) = delete;

 private:
  // What was done with each of the signals before.
  std::array<struct sigaction, 3> before_{};
};

}  // namespace millrace
