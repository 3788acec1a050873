#include "worker/connectors/view/view_source.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "millrace/v1/split.pb.h"
#include "worker/state/memory_view_store.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ViewPart kViewPart{ObjectId(1), JobId(2), AttemptId(3), 4};

Batch Rows(const std::vector<int64_t>& values) {
  arrow::Int64Builder first;
  arrow::Int64Builder second;
  for (const int64_t value : values) {
    EXPECT_TRUE(first.Append(value).ok());
    EXPECT_TRUE(second.Append(value * 10).ok());
  }
  return Batch({*first.Finish(), *second.Finish()}, static_cast<int64_t>(values.size()));
}

class ViewSourceTest : public testing::Test {
 protected:
  ViewSourceTest() {
    const SqlType bigint = SqlType::Of(TypeId::kInt64);
    EXPECT_TRUE(store_.Open(kViewPart, {{bigint, bigint}, {}}, Epoch(0)).ok());
    EXPECT_TRUE(store_.Seal(kViewPart, Epoch(1), {Rows({1, 2, 3})}).ok());
    EXPECT_TRUE(store_.Seal(kViewPart, Epoch(2), {Rows({4})}).ok());
    split_.set_id(9);
    split_.mutable_view()->set_object_id(1);
    split_.mutable_view()->set_job_id(2);
    split_.mutable_view()->set_attempt(3);
    split_.mutable_view()->set_task_index(4);
    split_.mutable_view()->set_epoch(1);
  }

  // All values of the source's first column, read in batches of at most `rows_max`.
  static std::vector<int64_t> ReadAll(ViewSource& source, int64_t rows_max) {
    std::vector<int64_t> values;
    while (true) {
      Batch batch;
      auto result = source.Poll({.rows_max = rows_max}, &batch);
      EXPECT_TRUE(result.ok()) << result.status();
      for (int64_t i = 0; i < batch.num_rows(); ++i) {
        values.push_back(static_cast<const arrow::Int64Array&>(*batch.column(0)).Value(i));
      }
      EXPECT_LE(batch.num_rows(), rows_max);
      if (!result.ok() || *result == PollResult::kEnd) return values;
    }
  }

  MemoryViewStore store_;
  v1::Split split_;
};

TEST_F(ViewSourceTest, ReadsTheEpochOfTheSplit) {
  ViewSource source(store_, {1});
  ASSERT_TRUE(source.Open(split_).ok());
  EXPECT_THAT(ReadAll(source, 2), ElementsAre(10, 20, 30));
  EXPECT_TRUE(source.Position().ended());
  EXPECT_EQ(source.Position().rows(), 3u);
  split_.mutable_view()->set_epoch(2);
  ASSERT_TRUE(source.Open(split_).ok());
  EXPECT_THAT(ReadAll(source, 100), ElementsAre(10, 20, 30, 40));
}

TEST_F(ViewSourceTest, BeforeTheFirstChangeThereAreNoRows) {
  ViewSource source(store_, {0});
  split_.mutable_view()->set_epoch(0);
  ASSERT_TRUE(source.Open(split_).ok());
  EXPECT_THAT(ReadAll(source, 100), IsEmpty());
}

TEST_F(ViewSourceTest, RefusesAPartThatIsNotHere) {
  ViewSource source(store_, {0});
  split_.mutable_view()->set_attempt(8);
  EXPECT_EQ(GetErrorDetail(source.Open(split_)).state, SqlState::kObjectNotInPrerequisiteState);
}

TEST_F(ViewSourceTest, RefusesOtherSplitsAndResuming) {
  ViewSource source(store_, {0});
  v1::Split file;
  file.mutable_file();
  EXPECT_FALSE(source.Open(file).ok());
  split_.mutable_resume()->set_rows(2);
  EXPECT_FALSE(source.Open(split_).ok());
}

}  // namespace
}  // namespace millrace
