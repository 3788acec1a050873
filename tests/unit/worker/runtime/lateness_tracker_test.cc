#include "worker/runtime/lateness_tracker.h"

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "tests/support/operators/text_batch.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using Rows = std::vector<int32_t>;

constexpr int64_t kNone = INT64_MIN;

// Rows on time, as LatenessTracker reports them: none late leaves the list as it was.
Rows OnTime(LatenessTracker& tracker, std::string_view times, const char* type = "timestamp",
            int64_t floor_micros = kNone) {
  const Batch batch = TextBatch(times, TextSchema(std::string(type) + " t"));
  Rows rows;
  auto late = tracker.Select(*batch.column(0), floor_micros, &rows);
  EXPECT_TRUE(late.ok()) << late.status();
  if (late.ok() && *late == 0) {
    rows.clear();
    for (int32_t i = 0; i < batch.num_rows(); ++i) rows.push_back(i);
  }
  return rows;
}

TEST(LatenessTrackerTest, OrderInsideABatchMatters) {
  LatenessTracker tracker(5);
  tracker.BeginSplit(std::nullopt);
  // 2 comes before the maximum, the other 2 after it.
  EXPECT_EQ(OnTime(tracker, "2 | 10 | 2 | 5 | 4"), (Rows{0, 1, 3}));
  EXPECT_EQ(tracker.watermark_micros(), 5);
}

TEST(LatenessTrackerTest, RemembersTheMaximumOverBatches) {
  LatenessTracker tracker(0);
  tracker.BeginSplit(std::nullopt);
  EXPECT_EQ(OnTime(tracker, "7 | 8"), (Rows{0, 1}));
  EXPECT_EQ(OnTime(tracker, "7 | 8 | 9"), (Rows{1, 2}));
}

TEST(LatenessTrackerTest, EachSplitHasItsOwnMaximum) {
  LatenessTracker tracker(0);
  tracker.BeginSplit(std::nullopt);
  OnTime(tracker, "100");
  tracker.BeginSplit(std::nullopt);
  EXPECT_EQ(tracker.max_time_micros(), std::nullopt);
  EXPECT_EQ(OnTime(tracker, "1"), (Rows{0}));
  tracker.BeginSplit(50);
  EXPECT_EQ(OnTime(tracker, "49 | 50"), (Rows{1}));
}

TEST(LatenessTrackerTest, RowsWithoutATimeAreNotLate) {
  LatenessTracker tracker(0);
  tracker.BeginSplit(std::nullopt);
  EXPECT_EQ(OnTime(tracker, "null | 10 | null | 9 | null"), (Rows{0, 1, 2, 4}));
  EXPECT_EQ(OnTime(tracker, "null"), (Rows{0}));
}

TEST(LatenessTrackerTest, RowsBehindTheOthersAreLateAndTheMaximumKnowsThem) {
  LatenessTracker tracker(5);
  tracker.BeginSplit(std::nullopt);
  EXPECT_EQ(OnTime(tracker, "30 | null | 18 | 20 | 12", "timestamp", 20), (Rows{0, 1}));
  EXPECT_EQ(OnTime(tracker, "25 | 24"), (Rows{0}));
  EXPECT_EQ(OnTime(tracker, "31 | 33", "timestamp", 40), Rows());
  EXPECT_EQ(tracker.max_time_micros(), 33);
  EXPECT_EQ(OnTime(tracker, "27 | 28"), (Rows{1}));
  // Those within a batch, too.
  EXPECT_EQ(OnTime(tracker, "40 | 34 | 35 | 41", "timestamp", 41), (Rows{3}));
}

TEST(LatenessTrackerTest, DatesAndExtremes) {
  LatenessTracker tracker(INT64_MAX);
  tracker.BeginSplit(std::nullopt);
  EXPECT_EQ(OnTime(tracker, "3 | 2 | 1", "date"), (Rows{0, 1, 2}));
  LatenessTracker strict(0);
  strict.BeginSplit(std::nullopt);
  EXPECT_EQ(OnTime(strict, "3 | 2 | 4", "date"), (Rows{0, 2}));
  EXPECT_EQ(strict.max_time_micros(), int64_t{4} * 86400 * 1000000);
}

TEST(LatenessTrackerTest, RefusesOtherTypes) {
  LatenessTracker tracker(0);
  const Batch batch = TextBatch("1", TextSchema("int8 t"));
  Rows rows;
  EXPECT_ERROR(tracker.Select(*batch.column(0), kNone, &rows), SqlState::kFeatureNotSupported,
               "int64");
}

}  // namespace
}  // namespace millrace
