#include "common/storage/staged_commit.h"

#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

bool IsMissing(const absl::Status& status) {
  return !status.ok() && GetErrorDetail(status).state == SqlState::kUndefinedFile;
}

// Checks that the final name holds what was recorded, after the staged name was found empty.
absl::Status CheckAlreadyCommitted(FileSystem& file_system, const v1::StagedFile& file) {
  const absl::StatusOr<FileInfo> info = file_system.Stat(file.final_path());
  if (IsMissing(info.status())) {
    return MakeError(
        SqlState::kDataCorrupted,
        absl::StrCat("the staged file \"", file.staged_path(),
                     "\" is gone and was not committed as \"", file.final_path(), "\""));
  }
  MR_RETURN_IF_ERROR(info.status());
  if (info->size_bytes == file.size_bytes()) {
    MR_ASSIGN_OR_RETURN(const uint64_t checksum, ChecksumOfFile(file_system, file.final_path()));
    if (checksum == file.checksum_xxh3()) return absl::OkStatus();
  }
  return MakeError(SqlState::kDataCorrupted,
                   absl::StrCat("the staged file \"", file.staged_path(), "\" is gone, and \"",
                                file.final_path(), "\" holds something else"));
}

}  // namespace

std::string NamePrefixOf(const FileOwner& owner) {
  return absl::StrCat(owner.cluster, owner.cluster.empty() ? "" : "-", owner.job_id, "-");
}

std::string CommittedNamePrefix(const FileOwner& owner) {
  return absl::StrCat("part-", NamePrefixOf(owner));
}

std::string SegmentNamePrefix(uint64_t job_id) { return absl::StrCat("part-", job_id, "-"); }

std::string StagedPath(const std::string& final_path, const FileOwner& owner, uint32_t attempt) {
  return JoinPath(FolderOf(final_path), absl::StrCat(kStagedPrefix, NamePrefixOf(owner), attempt,
                                                     "-", FileNameOf(final_path)));
}

absl::Status CommitStagedFiles(FileSystem& file_system, const std::vector<v1::StagedFile>& files) {
  std::set<std::string> folders;
  for (const v1::StagedFile& file : files) {
    MR_FAILPOINT("storage.before_commit_rename");
    const absl::StatusOr<FileInfo> staged = file_system.Stat(file.staged_path());
    if (IsMissing(staged.status())) {
      MR_RETURN_IF_ERROR(CheckAlreadyCommitted(file_system, file));
    } else {
      MR_RETURN_IF_ERROR(staged.status());
      if (staged->size_bytes != file.size_bytes()) {
        return MakeError(SqlState::kDataCorrupted,
                         absl::StrCat("the staged file \"", file.staged_path(), "\" has ",
                                      staged->size_bytes, " bytes instead of ", file.size_bytes()));
      }
      MR_RETURN_IF_ERROR(file_system.Rename(file.staged_path(), file.final_path()));
      MR_FAILPOINT("storage.after_commit_rename");
    }
    // Also after a repeated commit: the crash may have come between rename and fsync.
    folders.insert(FolderOf(file.final_path()));
  }
  MR_FAILPOINT("storage.before_commit_sync");
  for (const std::string& folder : folders) MR_RETURN_IF_ERROR(file_system.SyncFolder(folder));
  MR_FAILPOINT("storage.after_commit_sync");
  return absl::OkStatus();
}

absl::Status AbortStagedFiles(FileSystem& file_system, const std::vector<v1::StagedFile>& files) {
  absl::Status first_error;
  for (const v1::StagedFile& file : files)
    first_error.Update(file_system.Remove(file.staged_path()));
  return first_error;
}

absl::Status RemoveStaleStagedFiles(FileSystem& file_system, const std::string& folder,
                                    const FileOwner& owner, uint32_t attempt) {
  return RemoveFilesOfAttempts(file_system, folder,
                               absl::StrCat(kStagedPrefix, NamePrefixOf(owner)), attempt);
}

absl::Status RemoveFilesOfAttempts(FileSystem& file_system, const std::string& folder,
                                   absl::string_view prefix, uint32_t attempt) {
  const absl::StatusOr<std::vector<FileInfo>> entries = file_system.List(folder);
  if (IsMissing(entries.status())) return absl::OkStatus();
  MR_RETURN_IF_ERROR(entries.status());
  for (const FileInfo& entry : *entries) {
    const std::string name = FileNameOf(entry.path);
    if (!absl::StartsWith(name, prefix)) continue;
    const absl::string_view rest = absl::string_view(name).substr(prefix.size());
    uint32_t file_attempt = 0;
    if (absl::SimpleAtoi(rest.substr(0, rest.find('-')), &file_attempt) && file_attempt < attempt) {
      MR_RETURN_IF_ERROR(file_system.Remove(entry.path));
    }
  }
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(FileSystem& file_system, const std::string& path,
                                 absl::string_view bytes) {
  const std::string staged =
      JoinPath(FolderOf(path), absl::StrCat(kStagedPrefix, FileNameOf(path)));
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, file_system.Create(staged));
  MR_RETURN_IF_ERROR(file->Append(bytes));
  MR_FAILPOINT("storage.before_atomic_sync");
  MR_RETURN_IF_ERROR(file->Sync());
  MR_RETURN_IF_ERROR(file->Close());
  MR_FAILPOINT("storage.before_atomic_rename");
  MR_RETURN_IF_ERROR(file_system.Rename(staged, path));
  MR_FAILPOINT("storage.after_atomic_rename");
  return file_system.SyncFolder(FolderOf(path));
}

absl::StatusOr<std::string> ReadWholeFile(FileSystem& file_system, const std::string& path,
                                          uint64_t bytes_max) {
  MR_ASSIGN_OR_RETURN(const FileInfo info, file_system.Stat(path));
  if (info.size_bytes > bytes_max) {
    return MakeError(SqlState::kProgramLimitExceeded,
                     absl::StrCat("the file \"", path, "\" has ", info.size_bytes,
                                  " bytes, more than ", bytes_max));
  }
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, file_system.OpenForRead(path));
  std::string bytes(info.size_bytes, '\0');
  MR_ASSIGN_OR_RETURN(const size_t count, file->ReadAt(0, bytes.size(), bytes.data()));
  bytes.resize(count);
  return bytes;
}

}  // namespace millrace
