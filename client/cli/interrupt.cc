#include "client/cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "client/cli/exit_code.h"
#include "common/base/mutex.h"

namespace millrace {
namespace {

constexpr std::array kInterrupts = {SIGINT, SIGTERM, SIGHUP};

void EndNow(int) { _exit(static_cast<int>(ExitCode::kInterrupted)); }

}  // namespace

struct InterruptWatcher::State {
  std::function<void()> on_interrupt;
  std::thread thread;
  std::atomic<bool> stopping{false};
  Mutex mutex;
  CondVar changed;
  bool interrupted ABSL_GUARDED_BY(mutex) = false;

  void Run(const sigset_t& signals) {
    while (true) {
      int signal = 0;
      sigwait(&signals, &signal);
      if (stopping.load()) return;
      bool first;
      {
        MutexLock lock(mutex);
        first = !interrupted;
        interrupted = true;
        changed.NotifyAll();
      }
      if (!first) _exit(static_cast<int>(ExitCode::kInterrupted));
      on_interrupt();
    }
  }
};

InterruptWatcher::InterruptWatcher(std::function<void()> on_interrupt)
    : state_(std::make_unique<State>()) {
  state_->on_interrupt = std::move(on_interrupt);
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int interrupt : kInterrupts) sigaddset(&signals, interrupt);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  state_->thread = std::thread([this, signals] { state_->Run(signals); });
}

InterruptWatcher::~InterruptWatcher() {
  state_->stopping.store(true);
  pthread_kill(state_->thread.native_handle(), SIGTERM);
  state_->thread.join();
}

bool InterruptWatcher::interrupted() const {
  MutexLock lock(state_->mutex);
  return state_->interrupted;
}

void InterruptWatcher::Wait() {
  MutexLock lock(state_->mutex);
  while (!state_->interrupted) state_->changed.Wait(state_->mutex);
}

EndAtInterrupt::EndAtInterrupt() {
  struct sigaction end = {};
  end.sa_handler = EndNow;
  sigemptyset(&end.sa_mask);
  for (size_t i = 0; i < kInterrupts.size(); ++i) {
    sigaction(kInterrupts[i], nullptr, &before_[i]);
    // As nohup does it, for instance.
    if (before_[i].sa_handler == SIG_IGN) continue;
    sigaction(kInterrupts[i], &end, nullptr);
  }
}

EndAtInterrupt::~EndAtInterrupt() {
  for (size_t i = 0; i < kInterrupts.size(); ++i) sigaction(kInterrupts[i], &before_[i], nullptr);
}

}  // namespace millrace
