#include "worker/connectors/view/view_changes_source.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "common/base/status.h"
#include "millrace/v1/split.pb.h"
#include "worker/state/memory_view_store.h"

namespace millrace {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Epoch, weight, the view's column.
using Row = std::array<int64_t, 3>;

const ViewPart kPart{ObjectId(1), JobId(2), AttemptId(3), 4};

Batch Changes(const std::vector<int64_t>& values, const std::vector<int64_t>& weights) {
  arrow::Int64Builder value_builder;
  arrow::Int64Builder weight_builder;
  EXPECT_TRUE(value_builder.AppendValues(values).ok());
  EXPECT_TRUE(weight_builder.AppendValues(weights).ok());
  auto weight_array = std::static_pointer_cast<arrow::Int64Array>(*weight_builder.Finish());
  return Batch({*value_builder.Finish()}, static_cast<int64_t>(values.size()), weight_array);
}

class ViewChangesSourceTest : public testing::Test {
 protected:
  ViewChangesSourceTest() {
    EXPECT_TRUE(store_.Open(kPart, {{SqlType::Of(TypeId::kInt64)}, {}}, Epoch(0)).ok());
    EXPECT_TRUE(store_.Seal(kPart, Epoch(5), {Changes({1, 2}, {1, 1})}).ok());
    EXPECT_TRUE(store_.Seal(kPart, Epoch(7), {Changes({1, 3}, {-1, 2})}).ok());
  }

  v1::Split Split(uint64_t after, uint64_t through) const {
    v1::Split split;
    split.set_id(9);
    v1::ViewChangesSplit* changes = split.mutable_view_changes();
    changes->set_object_id(1);
    changes->set_job_id(2);
    changes->set_attempt(3);
    changes->set_task_index(4);
    changes->set_after_epoch(after);
    changes->set_through_epoch(through);
    return split;
  }

  std::vector<Row> ReadAll(uint64_t after, uint64_t through, int64_t rows_max = 100) {
    EXPECT_TRUE(source_.Open(Split(after, through)).ok());
    std::vector<Row> rows;
    while (true) {
      Batch batch;
      auto result = source_.Poll({.rows_max = rows_max}, &batch);
      EXPECT_TRUE(result.ok()) << result.status();
      EXPECT_LE(batch.num_rows(), rows_max);
      for (int64_t i = 0; i < batch.num_rows(); ++i) {
        Row& row = rows.emplace_back();
        for (int column = 0; column < 3; ++column) {
          row[column] = static_cast<const arrow::Int64Array&>(*batch.column(column)).Value(i);
        }
      }
      if (!result.ok() || *result == PollResult::kEnd) return rows;
    }
  }

  MemoryViewStore store_;
  ViewChangesSource source_{store_};
};

TEST_F(ViewChangesSourceTest, GivesEpochWeightAndRow) {
  EXPECT_THAT(ReadAll(5, 7), UnorderedElementsAre(Row{7, -1, 1}, Row{7, 2, 3}));
  EXPECT_EQ(source_.Position().rows(), 2);
  EXPECT_TRUE(source_.Position().ended());
  EXPECT_TRUE(source_.Close().ok());
}

TEST_F(ViewChangesSourceTest, FromTheBeginningItGivesAllRows) {
  EXPECT_THAT(ReadAll(0, 7), UnorderedElementsAre(Row{7, 1, 2}, Row{7, 2, 3}));
  EXPECT_THAT(ReadAll(0, 5), UnorderedElementsAre(Row{5, 1, 1}, Row{5, 1, 2}));
}

TEST_F(ViewChangesSourceTest, KeepsToItsBudget) {
  EXPECT_THAT(ReadAll(0, 7, 1), UnorderedElementsAre(Row{7, 1, 2}, Row{7, 2, 3}));
}

TEST_F(ViewChangesSourceTest, NoChangesAreNoRows) { EXPECT_THAT(ReadAll(7, 8), IsEmpty()); }

TEST_F(ViewChangesSourceTest, OtherSplitsAndPositionsAreRefused) {
  v1::Split other;
  other.mutable_view()->set_object_id(1);
  EXPECT_FALSE(source_.Open(other).ok());
  v1::Split middle = Split(5, 7);
  middle.mutable_resume()->set_rows(1);
  EXPECT_FALSE(source_.Open(middle).ok());
}

}  // namespace
}  // namespace millrace
