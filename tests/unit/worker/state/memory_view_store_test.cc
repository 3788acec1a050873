#include "worker/state/memory_view_store.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "common/base/status.h"
#include "worker/memory/memory_budget.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

using Change = std::pair<int64_t, int64_t>;

const ViewPart kPart{ObjectId(1), JobId(2), AttemptId(3), 0};

Batch Changes(const std::vector<Change>& changes) {
  arrow::Int64Builder values;
  arrow::Int64Builder weights;
  for (const auto& [value, weight] : changes) {
    EXPECT_TRUE(values.Append(value).ok());
    EXPECT_TRUE(weights.Append(weight).ok());
  }
  auto weight_array = std::static_pointer_cast<arrow::Int64Array>(*weights.Finish());
  return Batch({*values.Finish()}, static_cast<int64_t>(changes.size()), weight_array);
}

class MemoryViewStoreTest : public testing::Test {
 protected:
  MemoryViewStoreTest() {
    EXPECT_TRUE(store_.Open(kPart, {{SqlType::Of(TypeId::kInt64)}, {}}, Epoch(0)).ok());
  }

  void Seal(uint64_t epoch, const std::vector<Change>& changes) {
    const absl::Status status = store_.Seal(kPart, Epoch(epoch), {Changes(changes)});
    EXPECT_TRUE(status.ok()) << status;
  }

  // How often each value is in the view.
  std::map<int64_t, int64_t> Read(uint64_t epoch) {
    auto batches = store_.Read(kPart, Epoch(epoch));
    EXPECT_TRUE(batches.ok()) << batches.status();
    std::map<int64_t, int64_t> counts;
    if (!batches.ok()) return counts;
    for (const Batch& batch : *batches) {
      EXPECT_EQ(batch.weights(), nullptr);
      const auto& column = static_cast<const arrow::Int64Array&>(*batch.column(0));
      for (int64_t i = 0; i < column.length(); ++i) ++counts[column.Value(i)];
    }
    return counts;
  }

  // The weight of each value that has changed in (after, through].
  std::map<int64_t, int64_t> ReadChanges(uint64_t after, uint64_t through) {
    auto batches = store_.ReadChanges(kPart, Epoch(after), Epoch(through));
    EXPECT_TRUE(batches.ok()) << batches.status();
    std::map<int64_t, int64_t> weights;
    if (!batches.ok()) return weights;
    for (const Batch& batch : *batches) {
      const auto& column = static_cast<const arrow::Int64Array&>(*batch.column(0));
      for (int64_t i = 0; i < column.length(); ++i) {
        weights[column.Value(i)] += batch.raw_weights() == nullptr ? 1 : batch.raw_weights()[i];
      }
    }
    return weights;
  }

  MemoryViewStore store_;
};

TEST_F(MemoryViewStoreTest, ReadsEachEpochAsItWas) {
  Seal(5, {{10, 1}, {11, 1}});
  Seal(7, {{10, -1}, {12, 2}});
  EXPECT_THAT(Read(4), IsEmpty());
  EXPECT_THAT(Read(5), ElementsAre(Pair(10, 1), Pair(11, 1)));
  EXPECT_THAT(Read(6), ElementsAre(Pair(10, 1), Pair(11, 1)));
  EXPECT_THAT(Read(7), ElementsAre(Pair(11, 1), Pair(12, 2)));
}

TEST_F(MemoryViewStoreTest, RefusesAnEpochThatWasFolded) {
  Seal(1, {{1, 1}});
  Seal(2, {{1, -1}, {2, 1}});
  store_.Publish(kPart.job, kPart.attempt, Epoch(2), Epoch(2));
  Seal(3, {{3, 1}});
  EXPECT_EQ(GetErrorDetail(store_.Read(kPart, Epoch(1)).status()).state,
            SqlState::kInvalidParameterValue);
  EXPECT_THAT(Read(2), ElementsAre(Pair(2, 1)));
  EXPECT_THAT(Read(3), ElementsAre(Pair(2, 1), Pair(3, 1)));
}

TEST_F(MemoryViewStoreTest, RefusesEpochsOutOfOrder) {
  Seal(4, {{1, 1}});
  EXPECT_FALSE(store_.Seal(kPart, Epoch(4), {}).ok());
  EXPECT_FALSE(store_.Seal(kPart, Epoch(3), {}).ok());
}

TEST_F(MemoryViewStoreTest, ForgetsADroppedAttempt) {
  store_.Drop(kPart.job, kPart.attempt);
  const absl::Status gone = store_.Read(kPart, Epoch(1)).status();
  EXPECT_EQ(GetErrorDetail(gone).state, SqlState::kObjectNotInPrerequisiteState);
  // The job of the view may have been restarted: a reader is planned again.
  EXPECT_EQ(GetErrorDetail(gone).retry, Retry::kSafe);
}

TEST_F(MemoryViewStoreTest, AgreesWithAModelWhileFolding) {
  std::mt19937 random(7);
  std::map<uint64_t, std::map<int64_t, int64_t>> model;
  std::map<int64_t, int64_t> now;
  for (uint64_t epoch = 1; epoch <= 300; ++epoch) {
    std::vector<Change> changes;
    for (int i = 0; i < 20; ++i) {
      const auto value = static_cast<int64_t>(random() % 200);
      if (now[value] > 0 && random() % 2 == 0) {
        changes.emplace_back(value, -1);
        --now[value];
      } else {
        changes.emplace_back(value, 1);
        ++now[value];
      }
    }
    std::erase_if(now, [](const auto& entry) { return entry.second == 0; });
    Seal(epoch, changes);
    model[epoch] = now;
    const uint64_t oldest = epoch > 3 ? epoch - 3 : 1;
    store_.Publish(kPart.job, kPart.attempt, Epoch(epoch), Epoch(oldest));
    EXPECT_EQ(Read(epoch), model[epoch]) << epoch;
    EXPECT_EQ(Read(oldest), model[oldest]) << oldest;
  }
}

// A view with a key: of each key the row that it has at the epoch.
TEST(KeyedViewTest, AgreesWithAModelWhileFolding) {
  MemoryViewStore store;
  const SqlType bigint = SqlType::Of(TypeId::kInt64);
  ASSERT_TRUE(store.Open(kPart, {{bigint, bigint}, {0}}, Epoch(0)).ok());
  const auto rows_at = [&](uint64_t epoch) {
    std::multimap<int64_t, int64_t> rows;
    auto batches = store.Read(kPart, Epoch(epoch));
    EXPECT_TRUE(batches.ok()) << batches.status();
    for (const Batch& batch : *batches) {
      const auto& keys = static_cast<const arrow::Int64Array&>(*batch.column(0));
      const auto& values = static_cast<const arrow::Int64Array&>(*batch.column(1));
      for (int64_t i = 0; i < keys.length(); ++i) rows.emplace(keys.Value(i), values.Value(i));
    }
    return rows;
  };
  std::mt19937 random(7);
  std::map<uint64_t, std::map<int64_t, int64_t>> model;
  std::map<int64_t, int64_t> now;
  for (uint64_t epoch = 1; epoch <= 300; ++epoch) {
    // Most epochs change little, so that deltas are merged; some change everything.
    const int64_t last_key = random() % 16 == 0 ? 200 : 10;
    std::vector<int64_t> columns[3];
    const auto change = [&](int64_t key, int64_t value, int64_t weight) {
      columns[0].push_back(key);
      columns[1].push_back(value);
      columns[2].push_back(weight);
    };
    for (int64_t key = 0; key < last_key; ++key) {
      const auto it = now.find(key);
      const bool stays = random() % 4 != 0;
      const auto value = static_cast<int64_t>(epoch);
      if (stays && random() % 2 == 0) change(key, value, 1);
      const bool added = !columns[0].empty() && columns[0].back() == key;
      if (it != now.end() && (added || !stays)) change(key, it->second, -1);
      if (added) now[key] = value;
      if (!added && !stays) now.erase(key);
    }
    const auto num_rows = static_cast<int64_t>(columns[0].size());
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (auto& column : columns) {
      arrays.push_back(std::make_shared<arrow::Int64Array>(
          num_rows, arrow::Buffer::FromVector(std::move(column))));
    }
    const Batch batch({arrays[0], arrays[1]}, num_rows,
                      std::static_pointer_cast<arrow::Int64Array>(arrays[2]));
    ASSERT_TRUE(store.Seal(kPart, Epoch(epoch), {batch}).ok());
    model[epoch] = now;
    const uint64_t oldest = epoch > 3 ? epoch - 3 : 1;
    store.Publish(kPart.job, kPart.attempt, Epoch(epoch), Epoch(oldest));
    for (const uint64_t read : {epoch, oldest}) {
      const std::multimap<int64_t, int64_t> expected(model[read].begin(), model[read].end());
      EXPECT_EQ(rows_at(read), expected) << read << " in " << epoch;
    }
  }
}

// I11: a large view with small changes is not copied again and again.
TEST_F(MemoryViewStoreTest, FoldingCostGrowsWithChangesNotWithTheView) {
  std::vector<Change> rows;
  for (int64_t i = 0; i < 100000; ++i) rows.emplace_back(i, 1);
  Seal(1, rows);
  store_.Publish(kPart.job, kPart.attempt, Epoch(1), Epoch(1));
  Seal(2, {{0, 1}});
  const uint64_t before = store_.folded_rows();
  constexpr uint64_t kEpochs = 1000;
  for (uint64_t epoch = 3; epoch < 3 + kEpochs; ++epoch) {
    Seal(epoch, {{static_cast<int64_t>(epoch), -1}, {static_cast<int64_t>(epoch), 1}});
    store_.Publish(kPart.job, kPart.attempt, Epoch(epoch), Epoch(epoch));
  }
  EXPECT_LT(store_.folded_rows() - before, kEpochs * 2 * 20);
}

TEST(LoadingViewTest, SealsOverRowsThatAreStillBeingRead) {
  MemoryViewStore store;
  ASSERT_TRUE(store.OpenLoading(kPart, {{SqlType::Of(TypeId::kInt64)}, {}}, Epoch(5)).ok());
  // More than half of what will come, so that it would be folded at once.
  ASSERT_TRUE(store.Seal(kPart, Epoch(6), {Changes({{1, -1}, {3, 1}})}).ok());
  store.Publish(kPart.job, kPart.attempt, Epoch(6), Epoch(6));
  ASSERT_TRUE(store.Seal(kPart, Epoch(7), {Changes({{4, 1}})}).ok());
  EXPECT_FALSE(store.is_loaded(kPart));
  EXPECT_EQ(GetErrorDetail(store.Read(kPart, Epoch(6)).status()).state,
            SqlState::kObjectNotInPrerequisiteState);

  ASSERT_TRUE(store.FinishLoading(kPart, {Changes({{1, 2}, {2, 1}})}).ok());
  EXPECT_TRUE(store.is_loaded(kPart));
  EXPECT_GT(store.bytes(kPart), 0);
  std::map<int64_t, int64_t> counts;
  auto batches = store.Read(kPart, Epoch(7));
  ASSERT_TRUE(batches.ok()) << batches.status();
  for (const Batch& batch : *batches) {
    const auto& column = static_cast<const arrow::Int64Array&>(*batch.column(0));
    for (int64_t i = 0; i < column.length(); ++i) ++counts[column.Value(i)];
  }
  EXPECT_THAT(counts, testing::UnorderedElementsAre(testing::Pair(1, 1), testing::Pair(2, 1),
                                                    testing::Pair(3, 1), testing::Pair(4, 1)));
}

// A worker's memory, which has room for a hundred rows of kPart.
class ViewMemoryTest : public testing::Test {
 protected:
  static constexpr int64_t kRowBytes = 16;

  ViewMemoryTest() {
    EXPECT_TRUE(store_.Open(kPart, {{SqlType::Of(TypeId::kInt64)}, {}}, Epoch(0)).ok());
  }
  // Changes of the values [begin, end).
  static std::vector<Batch> Rows(int64_t begin, int64_t end, int64_t weight = 1) {
    std::vector<Change> changes;
    for (int64_t value = begin; value < end; ++value) changes.emplace_back(value, weight);
    return {Changes(changes)};
  }

  MemoryBudget worker_{100 * kRowBytes, MemoryBudget::Of::kWorker};
  MemoryBudget memory_{worker_, MemoryBudget::Of::kViews};
  MemoryViewStore store_{&memory_};
};

TEST_F(ViewMemoryTest, RowsCountUntilTheirAttemptIsDropped) {
  ASSERT_TRUE(store_.Seal(kPart, Epoch(1), Rows(0, 80)).ok());
  EXPECT_EQ(store_.bytes(kPart), 80 * kRowBytes);
  EXPECT_EQ(worker_.used(), 80 * kRowBytes);
  EXPECT_THAT(store_.BytesByAttempt(),
              ElementsAre(Pair(Pair(kPart.job, kPart.attempt), 80 * kRowBytes)));
  MemoryBudget query(INT64_MAX / 2, &worker_);
  EXPECT_EQ(GetErrorDetail(query.Reserve(30 * kRowBytes, "sort")).state, SqlState::kOutOfMemory);

  store_.Drop(kPart.job, kPart.attempt);
  EXPECT_EQ(worker_.used(), 0);
  EXPECT_THAT(store_.BytesByAttempt(), IsEmpty());
  EXPECT_TRUE(query.Reserve(30 * kRowBytes, "sort").ok());
}

TEST_F(ViewMemoryTest, RefusesRowsOfAnotherViewForWhichThereIsNoRoom) {
  ASSERT_TRUE(store_.Seal(kPart, Epoch(1), Rows(0, 80)).ok());
  const ViewPart other{ObjectId(5), JobId(6), AttemptId(1), 0};
  ASSERT_TRUE(store_.Open(other, {{SqlType::Of(TypeId::kInt64)}, {}}, Epoch(0)).ok());
  const absl::Status refused = store_.Seal(other, Epoch(1), Rows(0, 30));
  EXPECT_EQ(GetErrorDetail(refused).state, SqlState::kOutOfMemory) << refused;
  EXPECT_EQ(worker_.used(), 80 * kRowBytes);
  EXPECT_TRUE(store_.Read(kPart, Epoch(1)).ok());
  store_.Drop(other.job, other.attempt);
  EXPECT_EQ(worker_.used(), 80 * kRowBytes);
}

TEST_F(ViewMemoryTest, FoldingGivesBackWhatItNoLongerNeeds) {
  ASSERT_TRUE(store_.Seal(kPart, Epoch(1), Rows(0, 40)).ok());
  ASSERT_TRUE(store_.Seal(kPart, Epoch(2), Rows(0, 40, -1)).ok());
  EXPECT_EQ(worker_.used(), 80 * kRowBytes);
  store_.Publish(kPart.job, kPart.attempt, Epoch(2), Epoch(2));
  ASSERT_TRUE(store_.Seal(kPart, Epoch(3), Rows(50, 51)).ok());
  EXPECT_EQ(store_.bytes(kPart), kRowBytes);
  EXPECT_EQ(worker_.used(), kRowBytes);
}

TEST_F(ViewMemoryTest, LoadedRowsCount) {
  const ViewPart restored{ObjectId(5), JobId(6), AttemptId(2), 0};
  ASSERT_TRUE(store_.OpenLoading(restored, {{SqlType::Of(TypeId::kInt64)}, {}}, Epoch(5)).ok());
  EXPECT_EQ(worker_.used(), 0);
  ASSERT_TRUE(store_.FinishLoading(restored, Rows(0, 60)).ok());
  // Without their weights, as all of them are 1.
  EXPECT_EQ(store_.bytes(restored), 60 * kRowBytes / 2);
  EXPECT_EQ(worker_.used(), store_.bytes(restored));
}

TEST_F(ViewMemoryTest, RefusesToLoadRowsForWhichThereIsNoRoom) {
  ASSERT_TRUE(store_.Seal(kPart, Epoch(1), Rows(0, 80)).ok());
  const ViewPart restored{ObjectId(5), JobId(6), AttemptId(2), 0};
  ASSERT_TRUE(store_.OpenLoading(restored, {{SqlType::Of(TypeId::kInt64)}, {}}, Epoch(5)).ok());
  const absl::Status refused = store_.FinishLoading(restored, Rows(0, 60));
  EXPECT_EQ(GetErrorDetail(refused).state, SqlState::kOutOfMemory) << refused;
  EXPECT_FALSE(store_.is_loaded(restored));
  EXPECT_FALSE(store_.Read(restored, Epoch(5)).ok());
  EXPECT_EQ(worker_.used(), 80 * kRowBytes);
}

TEST_F(MemoryViewStoreTest, ChangesOfSeveralEpochsAreAddedUp) {
  Seal(1, {{1, 1}, {2, 1}});
  Seal(2, {{1, -1}, {3, 1}});
  Seal(3, {{3, -1}, {4, 2}});
  EXPECT_THAT(ReadChanges(1, 2), ElementsAre(Pair(1, -1), Pair(3, 1)));
  EXPECT_THAT(ReadChanges(1, 3), ElementsAre(Pair(1, -1), Pair(4, 2)));
  EXPECT_THAT(ReadChanges(3, 3), IsEmpty());
  EXPECT_THAT(ReadChanges(0, 2), ElementsAre(Pair(2, 1), Pair(3, 1)));
  EXPECT_THAT(ReadChanges(0, 3), ElementsAre(Pair(2, 1), Pair(4, 2)));
}

TEST_F(MemoryViewStoreTest, ChangesBehindTheOldestReadableEpochStayApart) {
  Seal(1, {{1, 1}});
  Seal(2, {{2, 1}});
  store_.Publish(kPart.job, kPart.attempt, Epoch(2), Epoch(2));
  Seal(3, {{1, -1}, {3, 1}});
  Seal(4, {{4, 1}});
  EXPECT_THAT(ReadChanges(2, 4), ElementsAre(Pair(1, -1), Pair(3, 1), Pair(4, 1)));
  const auto folded = store_.ReadChanges(kPart, Epoch(1), Epoch(4));
  EXPECT_EQ(GetErrorDetail(folded.status()).state, SqlState::kInvalidParameterValue);
  EXPECT_THAT(ReadChanges(0, 4), ElementsAre(Pair(2, 1), Pair(3, 1), Pair(4, 1)));
}

TEST_F(MemoryViewStoreTest, ChangesOfAPartThatIsNotThereAreAnError) {
  ViewPart other = kPart;
  other.task_index = 7;
  EXPECT_EQ(GetErrorDetail(store_.ReadChanges(other, Epoch(1), Epoch(2)).status()).state,
            SqlState::kObjectNotInPrerequisiteState);
}

}  // namespace
}  // namespace millrace
