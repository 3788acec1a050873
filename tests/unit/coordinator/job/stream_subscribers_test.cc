#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/stream_jobs_fixture.h"

// Readers of the changes of a view: what is kept for them, and what waits for them.

namespace millrace {
namespace {

using ::testing::HasSubstr;

class StreamSubscribersTest : public StreamJobsTest {
 protected:
  void StartReadable() {
    StartJob();
    Pump();
    Step();
  }
  uint64_t Subscribe() {
    const auto subscriber = jobs_->AddSubscriber(kView);
    EXPECT_TRUE(subscriber.ok()) << subscriber.status();
    return subscriber.value_or(0);
  }
  uint64_t newest() const { return jobs_->View(kJob)->published.back().epoch; }

  absl::StatusOr<ChangesView> Look(uint64_t subscriber) {
    Cancellation cancellation;
    return jobs_->AwaitChanges(subscriber, [](const ChangesView&) { return true; }, cancellation);
  }
  // Steps until a checkpoint is published; returns its epoch.
  uint64_t StepToCheckpoint(uint64_t subscriber) {
    for (int i = 0; i < 30; ++i) {
      const uint64_t epoch = Look(subscriber)->next_checkpoint;
      if (epoch > 0) return epoch;
      Step();
    }
    return 0;
  }
};

TEST_F(StreamSubscribersTest, WhatAReaderHasNotFetchedIsNotFolded) {
  StartReadable();
  const uint64_t subscriber = Subscribe();
  const uint64_t floor = newest();
  // Some are checkpoints, whose readers are waited for.
  for (int i = 0; i < 10; ++i) Step();
  Pump();
  EXPECT_EQ(oldest_readable_, floor);
  jobs_->AdvanceSubscriber(subscriber, newest());
  Step();
  Pump();
  EXPECT_GT(oldest_readable_, floor);
  jobs_->RemoveSubscriber(subscriber);
}

TEST_F(StreamSubscribersTest, ACheckpointWaitsUntilItsReadersHaveFetchedIt) {
  StartReadable();
  const uint64_t subscriber = Subscribe();
  const uint64_t epoch = StepToCheckpoint(subscriber);
  ASSERT_GT(epoch, 0);
  jobs_->Tick();
  EXPECT_LT(jobs_->View(kJob)->durable_epoch, epoch);
  jobs_->AdvanceSubscriber(subscriber, epoch);
  ASSERT_TRUE(
      WaitFor([epoch](const StreamView& view) { return view.durable_epoch >= epoch; }).ok());
  EXPECT_EQ(Look(subscriber)->next_checkpoint, 0);
  jobs_->RemoveSubscriber(subscriber);
}

TEST_F(StreamSubscribersTest, ACheckpointDoesNotWaitForeverNorForWhoIsGone) {
  StartReadable();
  const uint64_t slow = Subscribe();
  const uint64_t epoch = StepToCheckpoint(slow);
  cluster_.clock_.AdvanceMillis(3000);
  jobs_->Tick();
  ASSERT_TRUE(
      WaitFor([epoch](const StreamView& view) { return view.durable_epoch >= epoch; }).ok());
  EXPECT_EQ(Look(slow)->next_checkpoint, epoch) << "it is still to be read";
  jobs_->AdvanceSubscriber(slow, newest());
  const uint64_t next = StepToCheckpoint(slow);
  jobs_->RemoveSubscriber(slow);
  EXPECT_TRUE(WaitFor([next](const StreamView& view) { return view.durable_epoch >= next; }).ok());
}

TEST_F(StreamSubscribersTest, AReaderForWhomTooMuchWouldBeKeptIsGivenUp) {
  StartReadable();
  const uint64_t subscriber = Subscribe();
  const uint64_t keeps_up = Subscribe();
  view_rows_changed_ = uint64_t{5} << 20;  // By each of two tasks.
  Step();
  EXPECT_FALSE(Look(subscriber)->behind);
  jobs_->AdvanceSubscriber(keeps_up, newest());
  Step();
  EXPECT_TRUE(Look(subscriber)->behind);
  EXPECT_FALSE(Look(keeps_up)->behind);
  jobs_->RemoveSubscriber(keeps_up);
  Step();
  Pump();
  EXPECT_GT(oldest_readable_, 0) << "nothing is kept for it any more";
  jobs_->RemoveSubscriber(subscriber);
}

TEST_F(StreamSubscribersTest, AfterARestartTheReaderSeesWhereTheJobGoesOn) {
  StartReadable();
  const uint64_t subscriber = Subscribe();
  const uint64_t epoch = StepToCheckpoint(subscriber);
  jobs_->AdvanceSubscriber(subscriber, epoch);
  ASSERT_TRUE(
      WaitFor([epoch](const StreamView& view) { return view.durable_epoch >= epoch; }).ok());
  const uint32_t attempt = Look(subscriber)->attempt;
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  EXPECT_FALSE(Look(subscriber)->readable);
  cluster_.Join();
  for (int i = 0; i < 40 && Look(subscriber)->attempt == attempt; ++i) {
    Step();
    jobs_->View(kJob);
  }
  ASSERT_TRUE(WaitFor([attempt](const StreamView& view) { return view.attempt > attempt; }).ok());
  EXPECT_EQ(Look(subscriber)->restored_epoch, epoch);
  jobs_->RemoveSubscriber(subscriber);
}

TEST_F(StreamSubscribersTest, TheEndOfTheViewEndsItsReaders) {
  StartReadable();
  const uint64_t subscriber = Subscribe();
  ASSERT_TRUE(jobs_->Drop(kJob).ok());
  const auto gone = Look(subscriber);
  EXPECT_EQ(GetErrorDetail(gone.status()).state, SqlState::kObjectNotInPrerequisiteState);
  EXPECT_THAT(std::string(gone.status().message()), HasSubstr("was dropped"));
  jobs_->RemoveSubscriber(subscriber);
  EXPECT_FALSE(jobs_->AddSubscriber(kView).ok());
}

TEST_F(StreamSubscribersTest, AJobAtItsEndHasNothingMoreToSend) {
  StartReadable();
  input_ended_ = true;
  Step();
  Step(0);
  ASSERT_TRUE(
      WaitFor([](const StreamView& view) { return view.phase == StreamPhase::kServing; }).ok());
  const uint64_t subscriber = Subscribe();
  const auto view = Look(subscriber);
  EXPECT_TRUE(view->ended);
  EXPECT_EQ(view->next_checkpoint, 0);
  EXPECT_EQ(view->durable_epoch, view->published_epoch);
  jobs_->RemoveSubscriber(subscriber);
}

}  // namespace
}  // namespace millrace
