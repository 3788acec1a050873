#include "worker/runtime/batch_coalescer.h"

#include <arrow/array.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/operators/text_batch.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

TEST(BatchCoalescerTest, HoldsSmallBatchesBack) {
  const Schema schema = TextSchema("int8 k");
  BatchCoalescer coalescer(4);
  auto first = coalescer.Add(TextBatch("1", schema));
  ASSERT_OK(first);
  EXPECT_FALSE(first->has_value());
  ASSERT_OK(coalescer.Add(TextBatch("2 | 3", schema)));
  auto full = coalescer.Add(TextBatch("4", schema));
  ASSERT_OK(full);
  ASSERT_TRUE(full->has_value());
  EXPECT_THAT(RowsOf(**full), ElementsAre("1", "2", "3", "4"));
  EXPECT_TRUE(coalescer.empty());
  auto nothing = coalescer.Flush();
  ASSERT_OK(nothing);
  EXPECT_FALSE(nothing->has_value());
}

TEST(BatchCoalescerTest, PassesBigBatchesUnchanged) {
  const Batch batch = TextBatch("1 | 2", TextSchema("int8 k"));
  BatchCoalescer coalescer(4);
  auto passed = coalescer.Add(batch);
  ASSERT_OK(passed);
  ASSERT_TRUE(passed->has_value());
  EXPECT_EQ((*passed)->column(0), batch.column(0));
}

TEST(BatchCoalescerTest, MixesDictionariesPlainTextAndWeights) {
  const Schema schema = TextSchema("text s");
  auto all = ConcatenateBatches({TextBatchWithDictionaries("a | null | a", schema),
                                 TextBatch("- b", schema), TextBatch("c", schema)});
  ASSERT_OK(all);
  EXPECT_EQ(all->column(0)->type_id(), arrow::Type::STRING);
  EXPECT_THAT(RowsOf(*all), ElementsAre("+1 a", "+1 null", "+1 a", "-1 b", "+1 c"));
}

TEST(BatchCoalescerTest, JoinsDifferentDictionaries) {
  const Schema schema = TextSchema("text s");
  auto all = ConcatenateBatches(
      {TextBatchWithDictionaries("a | b", schema), TextBatchWithDictionaries("c | a", schema)});
  ASSERT_OK(all);
  auto plain = DecodeDictionaries(*all);
  ASSERT_OK(plain);
  EXPECT_THAT(RowsOf(*plain), ElementsAre("a", "b", "c", "a"));
}

TEST(BatchCoalescerTest, BatchesWithoutColumnsKeepTheirRows) {
  auto all = ConcatenateBatches({Batch({}, 3), Batch({}, 4)});
  ASSERT_OK(all);
  EXPECT_EQ(all->num_rows(), 7);
}

}  // namespace
}  // namespace millrace
