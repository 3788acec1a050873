#include "coordinator/job/job_queues.h"

#include <future>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

TEST(JobQueuesTest, WorkOfAJobIsDoneInItsOrder) {
  std::vector<int> done;
  std::promise<void> end;
  JobQueues queues;
  for (int i = 0; i < 3; ++i) {
    queues.Add(7, [&done, i] { done.push_back(i); });
  }
  queues.Add(7, [&end] { end.set_value(); });
  end.get_future().wait();
  EXPECT_THAT(done, ElementsAre(0, 1, 2));
}

TEST(JobQueuesTest, AJobThatHangsHoldsUpNoOther) {
  std::promise<void> release;
  std::promise<void> others;
  JobQueues queues;
  queues.Add(7, [held = release.get_future().share()] { held.wait(); });
  // Another thread each time: the one before has had nothing more to do.
  for (int i = 0; i < 100; ++i) {
    std::promise<void> done;
    queues.Add(8, [&done] { done.set_value(); });
    done.get_future().wait();
  }
  queues.Add(9, [&others] { others.set_value(); });
  others.get_future().wait();
  release.set_value();
}

TEST(JobQueuesTest, TheEndWaitsForWhatHasBegun) {
  std::promise<void> begun;
  std::promise<void> release;
  bool finished = false;
  auto queues = std::make_unique<JobQueues>();
  queues->Add(7, [&begun, &finished, held = release.get_future().share()] {
    begun.set_value();
    held.wait();
    finished = true;
  });
  begun.get_future().wait();
  auto ended = std::async(std::launch::async, [&queues] { queues.reset(); });
  release.set_value();
  ended.wait();
  EXPECT_TRUE(finished);
}

}  // namespace
}  // namespace millrace
