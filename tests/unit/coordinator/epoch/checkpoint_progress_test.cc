#include "coordinator/epoch/checkpoint_progress.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CheckpointProgressTest : public ::testing::Test {
 protected:
  static PublishedEpoch Published(uint64_t epoch) {
    PublishedEpoch published;
    published.epoch = epoch;
    uint64_t rows = 5;
    for (const SplitKey& key : {SplitKey{3, 0}, SplitKey{3, 1}, SplitKey{4, 0}}) {
      published.positions[key].set_split_id(key.second);
      published.positions[key].set_rows(rows++);
    }
    return published;
  }
  static v1::CheckpointDone Done(uint64_t epoch, const std::string& path) {
    v1::CheckpointDone done;
    done.set_epoch(epoch);
    done.add_files()->set_path(path);
    return done;
  }
  static v1::EpochAck Staged(uint64_t epoch, const std::string& path) {
    v1::EpochAck ack;
    ack.set_epoch(epoch);
    ack.add_staged_files()->set_final_path(path);
    return ack;
  }

  CheckpointProgress progress_{{WorkerId(1), WorkerId(2)}};
};

TEST_F(CheckpointProgressTest, IsReadyWhenAllWorkersAreDoneAndTheEpochIsPublished) {
  progress_.Begin(9, 1000);
  progress_.OnWorkerDone(WorkerId(1), Done(9, "a"));
  progress_.OnPublished(Published(9));
  EXPECT_FALSE(progress_.ReadyToStore());
  progress_.OnWorkerDone(WorkerId(1), Done(9, "again"));
  progress_.OnWorkerDone(WorkerId(3), Done(9, "stranger"));
  progress_.OnWorkerDone(WorkerId(2), Done(8, "older"));
  EXPECT_FALSE(progress_.ReadyToStore());
  progress_.OnWorkerDone(WorkerId(2), Done(9, "b"));
  ASSERT_TRUE(progress_.ReadyToStore());
  const v1::CheckpointManifest manifest = progress_.TakeManifest(3500);
  ASSERT_EQ(manifest.files_size(), 2);
  EXPECT_EQ(manifest.files(1).path(), "b");
  EXPECT_EQ(manifest.files(1).worker_id(), 2);
  EXPECT_EQ(manifest.duration_micros(), 2500);
  EXPECT_FALSE(progress_.ReadyToStore());
  EXPECT_FALSE(progress_.idle());
  progress_.Complete();
  EXPECT_TRUE(progress_.idle());
}

TEST_F(CheckpointProgressTest, AwaitsWorkersOnceTheEpochIsPublished) {
  EXPECT_THAT(progress_.Awaited(), IsEmpty());
  progress_.Begin(9, 1000);
  progress_.OnWorkerDone(WorkerId(1), Done(9, "a"));
  EXPECT_THAT(progress_.Awaited(), IsEmpty());
  progress_.OnPublished(Published(9));
  EXPECT_THAT(progress_.Awaited(), ElementsAre(WorkerId(2)));
  progress_.OnWorkerDone(WorkerId(2), Done(9, "b"));
  EXPECT_THAT(progress_.Awaited(), IsEmpty());
}

TEST_F(CheckpointProgressTest, AnUnpublishedEpochIsNoCheckpoint) {
  progress_.Begin(9, 1000);
  progress_.OnWorkerDone(WorkerId(1), Done(9, "a"));
  progress_.OnWorkerDone(WorkerId(2), Done(9, "b"));
  progress_.OnPublished(Published(8));
  EXPECT_FALSE(progress_.ReadyToStore());
  progress_.OnPublished(Published(9));
  EXPECT_TRUE(progress_.ReadyToStore());
}

TEST_F(CheckpointProgressTest, StagedFilesGoWithTheFirstCheckpointAtOrAfterThem) {
  progress_.AddStagedFiles(Staged(7, "f7"));
  progress_.AddStagedFiles(Staged(9, "f9"));
  progress_.AddStagedFiles(Staged(10, "f10"));
  for (uint64_t epoch : {9, 12}) {
    progress_.Begin(epoch, 1000);
    progress_.OnWorkerDone(WorkerId(1), Done(epoch, "a"));
    progress_.OnWorkerDone(WorkerId(2), Done(epoch, "b"));
    progress_.OnPublished(Published(epoch));
    const v1::CheckpointManifest manifest = progress_.TakeManifest(3500);
    EXPECT_EQ(manifest.pending_files_size(), epoch == 9 ? 2 : 1);
    progress_.Complete();
  }
}

TEST_F(CheckpointProgressTest, AnAbandonedOneLeavesItsStagedFilesToTheNext) {
  progress_.AddStagedFiles(Staged(9, "f9"));
  progress_.Begin(9, 1000);
  progress_.OnWorkerDone(WorkerId(1), Done(9, "a"));
  progress_.OnPublished(Published(9));
  progress_.Abandon();
  EXPECT_TRUE(progress_.idle());
  progress_.OnWorkerDone(WorkerId(2), Done(9, "late"));
  EXPECT_FALSE(progress_.ReadyToStore());

  progress_.Begin(10, 2000);
  progress_.OnWorkerDone(WorkerId(1), Done(10, "b"));
  progress_.OnWorkerDone(WorkerId(2), Done(10, "c"));
  progress_.OnPublished(Published(10));
  const v1::CheckpointManifest manifest = progress_.TakeManifest(3000);
  ASSERT_EQ(manifest.pending_files_size(), 1);
  EXPECT_EQ(manifest.files_size(), 2);
  // What is being stored is not given up.
  progress_.Abandon();
  EXPECT_FALSE(progress_.idle());
}

TEST_F(CheckpointProgressTest, OnlyNewFilesCountAsUploaded) {
  v1::CheckpointManifest restored;
  restored.add_files()->set_path("old");
  CheckpointProgress progress({WorkerId(1)}, restored);
  const auto take = [&progress](uint64_t epoch, const std::vector<std::string>& paths) {
    progress.Begin(epoch, 0);
    v1::CheckpointDone done;
    done.set_epoch(epoch);
    for (const std::string& path : paths) {
      v1::CheckpointFile* file = done.add_files();
      file->set_path(path);
      file->set_size_bytes(10);
    }
    progress.OnWorkerDone(WorkerId(1), done);
    progress.OnPublished(Published(epoch));
    const v1::CheckpointManifest manifest = progress.TakeManifest(0);
    progress.Complete();
    return manifest;
  };
  EXPECT_EQ(take(9, {"old", "a", "b"}).uploaded_bytes(), 20);
  const v1::CheckpointManifest next = take(10, {"a", "b", "c", "c"});
  EXPECT_EQ(next.uploaded_bytes(), 10);
  const v1::CheckpointSummary summary = SummaryOf(next, "job-1/m");
  EXPECT_EQ(summary.num_files(), 3);
  EXPECT_EQ(summary.size_bytes(), 30);
  EXPECT_EQ(summary.uploaded_bytes(), 10);
  EXPECT_EQ(summary.manifest(), "job-1/m");
}

TEST_F(CheckpointProgressTest, PositionsComeBackFromTheManifest) {
  progress_.Begin(9, 1000);
  progress_.OnWorkerDone(WorkerId(1), Done(9, "a"));
  progress_.OnWorkerDone(WorkerId(2), Done(9, "b"));
  progress_.OnPublished(Published(9));
  const v1::CheckpointManifest manifest = progress_.TakeManifest(3500);
  EXPECT_EQ(manifest.scans_size(), 2);
  const PublishedEpoch restored = RestoredEpoch(manifest);
  EXPECT_EQ(restored.epoch, 9);
  EXPECT_EQ(RowsRead(restored.positions), 18);
}

}  // namespace
}  // namespace millrace
