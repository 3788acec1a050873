#pragma once

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

}  // namespace millrace
