#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/storage/file_listing.h"
#include "common/storage/local_file_system.h"
#include "common/storage/staged_commit.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/recording_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "worker/connectors/sink.h"

// The suite that every sink of files must pass: nothing is visible before the commit, what is
// committed was fsynced before, commit twice is harmless, abort leaves nothing, close after any
// failure is safe.

namespace millrace {

struct SinkContract {
  // A sink that writes below `folder` on `file_system`.
  std::function<std::unique_ptr<Sink>(FileSystem& file_system, const std::string& folder)> make;
  // What it is given, at least one row.
  std::vector<Batch> batches;
};

inline absl::Status WriteAll(Sink& sink, const std::vector<Batch>& batches) {
  MR_RETURN_IF_ERROR(sink.Open());
  for (const Batch& batch : batches) MR_RETURN_IF_ERROR(sink.Write(batch));
  return absl::OkStatus();
}

inline void CheckCommit(const SinkContract& contract) {
  LocalFileSystem local;
  RecordingFileSystem recorder(local);
  TempFolder folder;
  const auto sink = contract.make(recorder, folder.path());
  ASSERT_OK(WriteAll(*sink, contract.batches));
  const auto staged = sink->Prepare(0);
  ASSERT_OK(staged);
  ASSERT_FALSE(staged->empty());
  EXPECT_TRUE(ListFiles(local, folder.path())->empty()) << "visible before the commit";
  ASSERT_OK(CommitStagedFiles(recorder, *staged));
  for (const v1::StagedFile& file : *staged) {
    const int synced = recorder.Find(absl::StrCat("sync ", file.staged_path()));
    const int renamed =
        recorder.Find(absl::StrCat("rename ", file.staged_path(), " ", file.final_path()));
    EXPECT_GE(recorder.Find(absl::StrCat("create ", file.staged_path())), 0);
    EXPECT_GT(synced, recorder.Find(absl::StrCat("create ", file.staged_path())));
    EXPECT_GT(renamed, synced);
    // The last byte is written before the fsync, and the staged name is durable before the rename.
    EXPECT_LT(recorder.FindLast(absl::StrCat("write ", file.staged_path())), synced);
    const std::string sync_folder = absl::StrCat("sync-folder ", FolderOf(file.staged_path()));
    EXPECT_GT(recorder.Find(sync_folder), synced);
    EXPECT_LT(recorder.Find(sync_folder), renamed);
    EXPECT_GT(recorder.FindLast(sync_folder), renamed);
    EXPECT_EQ(recorder.calls().back().rfind("sync-folder ", 0), 0U) << "folder not fsynced last";
    const auto info = local.Stat(file.final_path());
    ASSERT_OK(info);
    EXPECT_EQ(info->size_bytes, file.size_bytes());
  }
  const std::vector<std::string> committed = folder.Names();
  ASSERT_OK(CommitStagedFiles(recorder, *staged));
  EXPECT_EQ(folder.Names(), committed);
  EXPECT_TRUE(sink->Close().ok());
  EXPECT_EQ(folder.Names(), committed) << "close must not touch what is prepared";
}

// A stream: what one epoch has prepared is committed while the next one is being written.
inline void CheckEpochs(const SinkContract& contract) {
  LocalFileSystem local;
  RecordingFileSystem recorder(local);
  TempFolder folder;
  const auto sink = contract.make(recorder, folder.path());
  ASSERT_OK(WriteAll(*sink, contract.batches));
  const auto first = sink->Prepare(4);
  ASSERT_OK(first);
  for (const Batch& batch : contract.batches) ASSERT_OK(sink->Write(batch));
  ASSERT_OK(CommitStagedFiles(recorder, *first));
  EXPECT_EQ(ListFiles(local, folder.path())->size(), first->size());
  const auto second = sink->Prepare(5);
  ASSERT_OK(second);
  ASSERT_OK(CommitStagedFiles(recorder, *second));
  EXPECT_TRUE(sink->Close().ok());
  EXPECT_EQ(ListFiles(local, folder.path())->size(), first->size() + second->size());
  for (const v1::StagedFile& file : *second) {
    EXPECT_LT(recorder.Find(absl::StrCat("sync ", file.staged_path())),
              recorder.Find(absl::StrCat("rename ", file.staged_path())));
  }
}

// Lets each changing call of the commit fail in turn: a final name holds a whole file or nothing,
// and the commit can be repeated.
inline void CheckCommitFailures(const SinkContract& contract) {
  LocalFileSystem local;
  for (int n = 1; n < 1000; ++n) {
    SCOPED_TRACE(n);
    RecordingFileSystem faulty(local);
    TempFolder folder;
    const auto sink = contract.make(faulty, folder.path());
    ASSERT_OK(WriteAll(*sink, contract.batches));
    const auto staged = sink->Prepare(0);
    ASSERT_OK(staged);
    faulty.FailAt(n);
    const absl::Status status = CommitStagedFiles(faulty, *staged);
    for (const v1::StagedFile& file : *staged) {
      const auto info = local.Stat(file.final_path());
      EXPECT_TRUE(!info.ok() || info->size_bytes == file.size_bytes());
    }
    if (status.ok()) return;
    EXPECT_EQ(GetErrorDetail(status).state, SqlState::kDiskFull) << status;
    ASSERT_OK(CommitStagedFiles(local, *staged));
    EXPECT_EQ(ListFiles(local, folder.path())->size(), staged->size());
  }
  FAIL() << "the commit never succeeds";
}

inline void CheckAbort(const SinkContract& contract) {
  LocalFileSystem local;
  TempFolder folder;
  const auto sink = contract.make(local, folder.path());
  ASSERT_OK(WriteAll(*sink, contract.batches));
  ASSERT_OK(sink->Abort());
  EXPECT_TRUE(folder.Names().empty());
  EXPECT_TRUE(sink->Close().ok());

  const auto prepared = contract.make(local, folder.path());
  ASSERT_OK(WriteAll(*prepared, contract.batches));
  const auto staged = prepared->Prepare(0);
  ASSERT_OK(staged);
  ASSERT_OK(AbortStagedFiles(local, *staged));
  ASSERT_OK(AbortStagedFiles(local, *staged));
  EXPECT_TRUE(folder.Names().empty());
  EXPECT_FALSE(CommitStagedFiles(local, *staged).ok());
}

// Lets each changing call of the whole life fail in turn.
inline void CheckFailures(const SinkContract& contract) {
  LocalFileSystem local;
  for (int n = 1; n < 1000; ++n) {
    SCOPED_TRACE(n);
    RecordingFileSystem faulty(local);
    TempFolder folder;
    faulty.FailAt(n);
    bool failed = false;
    {
      const auto sink = contract.make(faulty, folder.path());
      absl::Status status = WriteAll(*sink, contract.batches);
      if (status.ok()) status = sink->Prepare(0).status();
      failed = !status.ok();
      if (failed) {
        EXPECT_EQ(GetErrorDetail(status).state, SqlState::kDiskFull) << status;
      }
      EXPECT_TRUE(sink->Close().ok());
    }
    if (!failed) return;
    EXPECT_TRUE(folder.Names().empty());
  }
  FAIL() << "the sink never succeeds";
}

inline void CheckSinkContract(const SinkContract& contract) {
  CheckCommit(contract);
  CheckEpochs(contract);
  CheckCommitFailures(contract);
  CheckAbort(contract);
  CheckFailures(contract);
}

}  // namespace millrace
