#include "worker/runtime/result_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/operators/text_batch.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

Batch Rows(std::string_view text) { return TextBatch(text, TextSchema("text s")); }

TEST(ResultQueueTest, GivesRowsOutInOrderThenTheEnd) {
  ResultQueue queue(1 << 20);
  int ready = 0;
  ASSERT_TRUE(queue.Attach([&] { ++ready; }));
  EXPECT_FALSE(queue.Attach([] {}));
  queue.Push(Rows("a"));
  queue.Push(Rows("b"));
  queue.Finish(absl::OkStatus());
  EXPECT_EQ(ready, 3);
  EXPECT_THAT(RowsOf(*queue.Pop().batch), ElementsAre("a"));
  EXPECT_THAT(RowsOf(*queue.Pop().batch), ElementsAre("b"));
  EXPECT_FALSE(queue.finished_reading());
  const ResultQueue::Item end = queue.Pop();
  EXPECT_FALSE(end.batch.has_value());
  ASSERT_TRUE(end.end.has_value());
  ASSERT_OK(*end.end);
  EXPECT_TRUE(queue.finished_reading());
}

TEST(ResultQueueTest, WakesTheTaskWhenThereIsRoom) {
  auto task = std::make_shared<CountingWakeable>();
  ResultQueue queue(1);
  queue.SetTask(task);
  queue.Push(Rows("a"));
  EXPECT_TRUE(queue.full());
  queue.Pop();
  EXPECT_FALSE(queue.full());
  EXPECT_EQ(task->wakes, 1);
}

TEST(ResultQueueTest, KeepsTheFirstEnd) {
  ResultQueue queue(1);
  queue.Finish(MakeError(SqlState::kDivisionByZero, "division by zero"));
  queue.Finish(absl::OkStatus());
  const ResultQueue::Item end = queue.Pop();
  ASSERT_TRUE(end.end.has_value());
  EXPECT_ERROR(*end.end, SqlState::kDivisionByZero, "zero");
}

TEST(ResultQueueTest, ClosedQueueTakesNothing) {
  auto task = std::make_shared<CountingWakeable>();
  ResultQueue queue(1);
  queue.SetTask(task);
  queue.Push(Rows("a"));
  queue.Close();
  EXPECT_EQ(task->wakes, 1);
  EXPECT_TRUE(queue.closed());
  EXPECT_FALSE(queue.full());
  queue.Push(Rows("b"));
  EXPECT_FALSE(queue.Pop().batch.has_value());
}

TEST(ResultOutputTest, DecodesDictionariesAndCombines) {
  auto queue = std::make_shared<ResultQueue>(1 << 20);
  ResultOutput output(queue);
  const Schema schema = TextSchema("text s");
  ASSERT_OK(output.Send(TextBatchWithDictionaries("a | a", schema)));
  ASSERT_OK(output.Send(TextBatch("b", schema)));
  EXPECT_FALSE(queue->Pop().batch.has_value());
  ASSERT_OK(output.Send(EndOfStream()));
  EXPECT_THAT(RowsOf(*queue->Pop().batch), ElementsAre("a", "a", "b"));
}

}  // namespace
}  // namespace millrace
