#include "worker/runtime/actor_pool.h"

#include <utility>

#include "common/base/check.h"

namespace millrace {

void Actor::Wake() {
  State state = state_.load();
  while (true) {
    State next = state;
    if (state == State::kIdle) {
      next = State::kScheduled;
    } else if (state == State::kRunning) {
      next = State::kRunningAndWoken;
    } else {
      return;
    }
    if (!state_.compare_exchange_weak(state, next)) continue;
    if (next == State::kScheduled) pool_.Schedule(shared_from_this());
    return;
  }
}

ActorPool::ActorPool(int num_threads) {
  MR_CHECK(num_threads > 0);
  threads_.reserve(static_cast<size_t>(num_threads));
  for (int i = 0; i < num_threads; ++i) threads_.emplace_back([this] { RunThread(); });
}

ActorPool::~ActorPool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    ready_changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void ActorPool::Schedule(std::shared_ptr<Actor> actor) {
  MutexLock lock(mutex_);
  ready_.push_back(std::move(actor));
  ready_changed_.NotifyOne();
}

void ActorPool::RunThread() {
  while (true) {
    std::shared_ptr<Actor> actor;
    {
      MutexLock lock(mutex_);
      while (!stopping_ && ready_.empty()) ready_changed_.Wait(mutex_);
      if (stopping_) return;
      actor = std::move(ready_.front());
      ready_.pop_front();
    }
    RunStep(std::move(actor));
  }
}

void ActorPool::RunStep(std::shared_ptr<Actor> actor) {
  using State = Actor::State;
  actor->state_.store(State::kRunning);
  const Actor::StepResult result = actor->Step();
  if (result == Actor::StepResult::kDone) {
    actor->state_.store(State::kDone);
    return;
  }
  if (result == Actor::StepResult::kIdle) {
    State expected = State::kRunning;
    if (actor->state_.compare_exchange_strong(expected, State::kIdle)) return;
  }
  // Ready, or woken while it ran. Wakes up to here are covered by the next step.
  actor->state_.store(State::kScheduled);
  Schedule(std::move(actor));
}

}  // namespace millrace
