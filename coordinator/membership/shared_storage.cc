#include "coordinator/membership/shared_storage.h"

#include <cstdint>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

constexpr uint64_t kTokenBytesMax = 4096;
constexpr char kFormat[] = "millrace shared storage, format 1\n";

std::string NewToken(absl::string_view cluster_id) {
  std::random_device random;
  std::string text = absl::StrCat(kFormat, "cluster ", cluster_id, "\ntoken ");
  for (int part = 0; part < 4; ++part) absl::StrAppendFormat(&text, "%08x", random());
  return absl::StrCat(text, "\n");
}

absl::Status NotShared(absl::string_view worker, const SharedStorage& folder,
                       absl::string_view what) {
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   absl::StrCat(worker, " does not share the coordinator's ", folder.setting, " ",
                                folder.path, ": ", what),
                   absl::StrCat("mount the same storage at ", folder.path,
                                " on the worker's machine, writable for the worker's user"));
}

// A full disk says nothing about whose it is.
absl::Status CannotUse(absl::string_view worker, const SharedStorage& folder,
                       const absl::Status& error) {
  const ErrorDetail detail = GetErrorDetail(error);
  if (detail.state != SqlState::kDiskFull) return NotShared(worker, folder, error.message());
  return MakeError(detail,
                   absl::StrCat(worker, " cannot write to ", folder.path, ": ", error.message()));
}

}  // namespace

absl::StatusOr<SharedStorage> OpenSharedStorage(FileSystem& file_system, absl::string_view setting,
                                                const std::string& path,
                                                absl::string_view cluster_id) {
  SharedStorage folder{std::string(setting), path, ""};
  const std::string file = JoinPath(path, kStorageTokenFile);
  absl::StatusOr<std::string> stored = ReadWholeFile(file_system, file, kTokenBytesMax);
  if (!stored.ok() && GetErrorDetail(stored.status()).state == SqlState::kUndefinedFile) {
    stored = NewToken(cluster_id);
    MR_RETURN_IF_ERROR(WriteFileAtomically(file_system, file, *stored));
  }
  MR_RETURN_IF_ERROR(stored.status());
  if (!absl::StartsWith(*stored, kFormat)) {
    return MakeError(SqlState::kDataCorrupted,
                     absl::StrCat(file, " is damaged, or was written by a newer release"));
  }
  if (!absl::StrContains(*stored, absl::StrCat("\ncluster ", cluster_id, "\n"))) {
    return MakeError(SqlState::kObjectNotInPrerequisiteState,
                     absl::StrCat(setting, " ", path, " belongs to another cluster"),
                     absl::StrCat("give each cluster a ", setting, " of its own"));
  }
  folder.token = *std::move(stored);
  return folder;
}

v1::StorageChallenge ChallengeOf(const std::vector<SharedStorage>& folders) {
  v1::StorageChallenge challenge;
  for (const SharedStorage& folder : folders) {
    v1::SharedFolder* out = challenge.add_folders();
    out->set_setting(folder.setting);
    out->set_path(folder.path);
    out->set_token_file(kStorageTokenFile);
  }
  return challenge;
}

absl::Status CheckStorageProof(const std::vector<SharedStorage>& folders,
                               const v1::StorageProof& proof, absl::string_view worker) {
  for (size_t i = 0; i < folders.size(); ++i) {
    const SharedStorage& folder = folders[i];
    const int index = static_cast<int>(i);
    if (index >= proof.folders_size() || proof.folders(index).path() != folder.path) {
      return NotShared(worker, folder, "the worker says nothing about it");
    }
    const v1::FolderProof& shown = proof.folders(index);
    if (shown.has_error()) return CannotUse(worker, folder, FromProto(shown.error()));
    if (shown.token() != folder.token) {
      return NotShared(worker, folder,
                       absl::StrCat("the worker sees a different ", kStorageTokenFile));
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace
