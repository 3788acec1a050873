#pragma once

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "worker/runtime/actor.h"

namespace millrace {

// A fixed number of threads that step actors in the order in which they became ready. Actors may
// outlive the pool only if nobody wakes them any more.
class ActorPool {
 public:
  explicit ActorPool(int num_threads);
  // Ends the threads after their current steps; what is still scheduled does not run.
  ~ActorPool();
  ActorPool(const ActorPool&) = delete;
  ActorPool& operator=(const ActorPool&) = delete;

  int num_threads() const { return static_cast<int>(threads_.size()); }

 private:
  friend class Actor;
  void Schedule(std::shared_ptr<Actor> actor);
  void RunThread();
  void RunStep(std::shared_ptr<Actor> actor);

  Mutex mutex_;
  CondVar ready_changed_;
  std::deque<std::shared_ptr<Actor>> ready_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace
