#include "worker/service/blocking_thread.h"

#include <utility>

namespace millrace {

BlockingThread::BlockingThread() : thread_([this] { RunThread(); }) {}

BlockingThread::~BlockingThread() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void BlockingThread::Run(std::function<void()> work) {
  MutexLock lock(mutex_);
  work_.push_back(std::move(work));
  changed_.NotifyAll();
}

void BlockingThread::RunThread() {
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
