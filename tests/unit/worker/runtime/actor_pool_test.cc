#include "worker/runtime/actor_pool.h"

#include <gtest/gtest.h>

#include <functional>
#include <latch>

namespace millrace {
namespace {

class FunctionActor final : public Actor {
 public:
  FunctionActor(ActorPool& pool, std::function<StepResult()> step)
      : Actor(pool), step_(std::move(step)) {}

 protected:
  StepResult Step() override { return step_(); }

 private:
  const std::function<StepResult()> step_;
};

TEST(ActorPoolTest, StepsUntilDone) {
  ActorPool pool(2);
  std::latch done(1);
  int steps = 0;
  auto actor = std::make_shared<FunctionActor>(pool, [&] {
    if (++steps < 5) return Actor::StepResult::kReady;
    done.count_down();
    return Actor::StepResult::kDone;
  });
  actor->Wake();
  done.wait();
  actor->Wake();
  EXPECT_EQ(steps, 5);
}

TEST(ActorPoolTest, DoesNotLoseAWakeDuringAStep) {
  ActorPool pool(1);
  std::latch second(2);
  std::weak_ptr<Actor> weak;
  int steps = 0;
  auto actor = std::make_shared<FunctionActor>(pool, [&] {
    if (++steps == 1) weak.lock()->Wake();
    second.count_down();
    return Actor::StepResult::kIdle;
  });
  weak = actor;
  actor->Wake();
  second.wait();
  EXPECT_EQ(steps, 2);
}

TEST(ActorPoolTest, NeverStepsAnActorTwiceAtOnce) {
  ActorPool pool(4);
  constexpr int kWakes = 2000;
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  int64_t steps = 0;
  auto actor = std::make_shared<FunctionActor>(pool, [&] {
    if (inside.fetch_add(1) != 0) overlapped = true;
    ++steps;
    inside.fetch_sub(1);
    return Actor::StepResult::kIdle;
  });
  std::vector<std::thread> wakers;
  for (int t = 0; t < 4; ++t) {
    wakers.emplace_back([&] {
      for (int i = 0; i < kWakes; ++i) actor->Wake();
    });
  }
  for (std::thread& waker : wakers) waker.join();
  std::latch settled(1);
  auto last = std::make_shared<FunctionActor>(pool, [&] {
    settled.count_down();
    return Actor::StepResult::kDone;
  });
  last->Wake();
  settled.wait();
  EXPECT_FALSE(overlapped);
  EXPECT_GT(steps, 0);
}

}  // namespace
}  // namespace millrace
