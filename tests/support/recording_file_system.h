#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/file_system.h"

namespace millrace {

// Passes everything on to another file system, writes down what changes something ("create a",
// "write a", "sync a", "rename a b", "sync-folder d", "remove a"), and fails where it is told to.
// For one thread.
class RecordingFileSystem final : public FileSystem {
 public:
  explicit RecordingFileSystem(FileSystem& base) : base_(base) {}

  const std::vector<std::string>& calls() const { return calls_; }
  // Place of the first call that begins with `prefix`, or −1.
  int Find(const std::string& prefix) const {
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (calls_[i].rfind(prefix, 0) == 0) return static_cast<int>(i);
    }
    return -1;
  }
  // Place of the last one, or −1.
  int FindLast(const std::string& prefix) const {
    for (size_t i = calls_.size(); i > 0; --i) {
      if (calls_[i - 1].rfind(prefix, 0) == 0) return static_cast<int>(i - 1);
    }
    return -1;
  }
  // The `n`-th changing call from now on (1 = the next) fails with 53100.
  void FailAt(int n) { calls_until_failure_ = n; }

  absl::StatusOr<FileInfo> Stat(const std::string& path) override { return base_.Stat(path); }
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) override {
    return base_.OpenForRead(path);
  }
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    MR_RETURN_IF_ERROR(Record(absl::StrCat("create ", path)));
    MR_ASSIGN_OR_RETURN(auto file, base_.Create(path));
    return std::make_unique<RecordingFile>(*this, std::move(file), path);
  }
  absl::StatusOr<std::vector<FileInfo>> List(const std::string& folder) override {
    return base_.List(folder);
  }
  absl::Status CreateFolders(const std::string& path) override {
    MR_RETURN_IF_ERROR(Record(absl::StrCat("create-folders ", path)));
    return base_.CreateFolders(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    MR_RETURN_IF_ERROR(Record(absl::StrCat("rename ", from, " ", to)));
    return base_.Rename(from, to);
  }
  absl::Status SyncFolder(const std::string& path) override {
    MR_RETURN_IF_ERROR(Record(absl::StrCat("sync-folder ", path)));
    return base_.SyncFolder(path);
  }
  // Never fails by plan: cleaning up after a failure must be possible.
  absl::Status Remove(const std::string& path) override {
    calls_.push_back(absl::StrCat("remove ", path));
    return base_.Remove(path);
  }
  absl::StatusOr<std::string> Resolve(const std::string& path) override {
    return base_.Resolve(path);
  }

 private:
  class RecordingFile final : public WritableFile {
   public:
    RecordingFile(RecordingFileSystem& owner, std::unique_ptr<WritableFile> base, std::string path)
        : owner_(owner), base_(std::move(base)), path_(std::move(path)) {}
    absl::Status Append(absl::string_view bytes) override {
      MR_RETURN_IF_ERROR(owner_.Record(absl::StrCat("write ", path_)));
      return base_->Append(bytes);
    }
    absl::Status Sync() override {
      MR_RETURN_IF_ERROR(owner_.Record(absl::StrCat("sync ", path_)));
      return base_->Sync();
    }
    absl::Status Close() override { return base_->Close(); }

   private:
    RecordingFileSystem& owner_;
    const std::unique_ptr<WritableFile> base_;
    const std::string path_;
  };

  absl::Status Record(std::string call) {
    if (calls_until_failure_ > 0 && --calls_until_failure_ == 0) {
      return MakeError(SqlState::kDiskFull, absl::StrCat("planned failure of: ", call));
    }
    calls_.push_back(std::move(call));
    return absl::OkStatus();
  }

  FileSystem& base_;
  std::vector<std::string> calls_;
  int calls_until_failure_ = 0;
};

}  // namespace millrace
