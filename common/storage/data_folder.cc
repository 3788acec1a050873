#include "common/storage/data_folder.h"

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"

namespace millrace {
namespace {

absl::StatusOr<bool> Exists(FileSystem& file_system, const std::string& path) {
  const absl::Status status = file_system.Stat(path).status();
  if (status.ok()) return true;
  if (GetErrorDetail(status).state == SqlState::kUndefinedFile) return false;
  return status;
}

absl::Status RefuseIf(FileSystem& file_system, const char* mark, absl::string_view setting,
                      const std::string& path, absl::string_view owner) {
  MR_ASSIGN_OR_RETURN(const bool is_owners, Exists(file_system, JoinPath(path, mark)));
  if (!is_owners) return absl::OkStatus();
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   absl::StrCat(setting, " ", path, " belongs to ", owner),
                   "give the coordinator and the workers folders of their own");
}

absl::Status NotThere(absl::string_view what) {
  return MakeError(SqlState::kIoError, absl::StrCat(what, " is not there, or another one"),
                   "is its file system mounted?");
}

}  // namespace

absl::Status CheckOwnFolder(FileSystem& file_system, absl::string_view setting,
                            const std::string& path, absl::string_view token) {
  const absl::StatusOr<std::string> found =
      ReadWholeFile(file_system, JoinPath(path, kStorageTokenFile), kStorageTokenBytesMax);
  if (GetErrorDetail(found.status()).state == SqlState::kUndefinedFile) {
    return NotThere(absl::StrCat(setting, " ", path));
  }
  MR_RETURN_IF_ERROR(found.status());
  if (*found == token) return absl::OkStatus();
  return MakeError(
      SqlState::kIoError,
      absl::StrCat(setting, " ", path, " is another folder than when the process started"),
      "is another file system mounted there?");
}

absl::Status RequireFolder(FileSystem& file_system, const std::string& path) {
  MR_ASSIGN_OR_RETURN(const bool exists, Exists(file_system, path));
  return exists ? absl::OkStatus() : NotThere(absl::StrCat("folder ", path));
}

absl::Status RefuseWorkerFolder(FileSystem& file_system, absl::string_view setting,
                                const std::string& path) {
  return RefuseIf(file_system, kWorkerFolderFile, setting, path, "a worker");
}

absl::Status ClaimWorkerFolder(FileSystem& file_system, const std::string& path) {
  MR_RETURN_IF_ERROR(RefuseIf(file_system, kStorageTokenFile, "data-dir", path, "a coordinator"));
  const std::string mark = JoinPath(path, kWorkerFolderFile);
  MR_ASSIGN_OR_RETURN(const bool is_marked, Exists(file_system, mark));
  if (is_marked) return absl::OkStatus();
  MR_RETURN_IF_ERROR(file_system.CreateFolders(path));
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, file_system.Create(mark));
  return file->Close();
}

}  // namespace millrace
