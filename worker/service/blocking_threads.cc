#include "worker/service/blocking_threads.h"

#include <utility>

namespace millrace {
namespace {

// The long work of one job must not hold up the short work of the others.
constexpr int kNumThreads = 4;

}  // namespace

BlockingThreads::BlockingThreads() {
  for (int i = 0; i < kNumThreads; ++i) threads_.emplace_back([this] { RunThread(); });
}

BlockingThreads::~BlockingThreads() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void BlockingThreads::Run(std::function<void()> work) {
  MutexLock lock(mutex_);
  work_.push_back(std::move(work));
  changed_.NotifyAll();
}

void BlockingThreads::RunThread() {
  while (true) {
    std::function<void()> work;
    {
      MutexLock lock(mutex_);
      while (!stopping_ && work_.empty()) changed_.Wait(mutex_);
      if (stopping_) return;
      work = std::move(work_.front());
      work_.pop_front();
    }
    work();
  }
}

}  // namespace millrace
