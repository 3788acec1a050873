#include "coordinator/membership/shared_storage.h"

#include <cstdint>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "coordinator/metadata/id_allocator.h"
#include "coordinator/metadata/metadata_store.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

constexpr char kDataSetting[] = "data-dir";
constexpr char kCheckpointSetting[] = "checkpoint-dir";
constexpr char kTokenKey[] = "cluster/checkpoint-dir";
constexpr uint32_t kTokenRecordFormat = 1;
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

// The token that the checkpoint folder had when it was opened last; empty in a new store, and in
// one that an earlier version has written.
struct TokenRecord {
  std::string token;
  uint64_t revision = 0;
};

// As it is stored: "1 ", then the token.
absl::StatusOr<TokenRecord> ReadTokenRecord(const MetadataStore& metadata) {
  MR_ASSIGN_OR_RETURN(const std::optional<MetadataValue> stored, metadata.Get(kTokenKey));
  if (!stored.has_value()) return TokenRecord();
  const std::string what = absl::StrCat("metadata record ", kTokenKey);
  const absl::string_view record = stored->value;
  const size_t end = record.find(' ');
  uint32_t format = 0;
  if (end == absl::string_view::npos || !absl::SimpleAtoi(record.substr(0, end), &format)) {
    return MakeError(SqlState::kDataCorrupted, absl::StrCat(what, " is damaged"));
  }
  MR_RETURN_IF_ERROR(CheckRecordFormat(what, format, kTokenRecordFormat));
  return TokenRecord{std::string(record.substr(end + 1)), stored->revision};
}

absl::Status NotTheFolder(const std::string& path, absl::string_view why, absl::string_view hint) {
  return MakeError(SqlState::kIoError,
                   absl::StrCat(kCheckpointSetting, " ", path,
                                " is not the folder in which this cluster's checkpoints lie: ",
                                kStorageTokenFile, " ", why),
                   absl::StrCat("is its file system mounted? ", hint));
}

// Without its token a folder is taken if it says whose it is in another way.
absl::Status RequireClusterId(FileSystem& file_system, const std::string& path,
                              absl::string_view cluster_id) {
  const std::string file = JoinPath(path, kClusterIdFile);
  const absl::StatusOr<std::string> stored =
      ReadWholeFile(file_system, file, kStorageTokenBytesMax);
  if (GetErrorDetail(stored.status()).state != SqlState::kUndefinedFile) {
    MR_RETURN_IF_ERROR(stored.status());
    MR_ASSIGN_OR_RETURN(const std::string owner, ClusterIdOf(file, *stored));
    if (owner == cluster_id) return absl::OkStatus();
  }
  return NotTheFolder(path, "is missing",
                      absl::StrCat("If what was in it is lost for good, write the cluster's id, ",
                                   cluster_id, ", into a file ", file));
}

absl::StatusOr<SharedStorage> OpenCheckpointDir(FileSystem& file_system, MetadataStore& metadata,
                                                const std::string& path,
                                                absl::string_view cluster_id) {
  MR_ASSIGN_OR_RETURN(const TokenRecord known, ReadTokenRecord(metadata));
  const std::string file = JoinPath(path, kStorageTokenFile);
  const absl::Status found = ReadWholeFile(file_system, file, kStorageTokenBytesMax).status();
  const bool is_missing = GetErrorDetail(found).state == SqlState::kUndefinedFile;
  if (is_missing && !known.token.empty()) {
    MR_RETURN_IF_ERROR(RequireClusterId(file_system, path, cluster_id));
  }
  MR_ASSIGN_OR_RETURN(SharedStorage folder,
                      OpenSharedStorage(file_system, kCheckpointSetting, path, cluster_id));
  if (folder.token == known.token) return folder;
  if (!is_missing && !known.token.empty()) {
    return NotTheFolder(path, "holds another token than before",
                        absl::StrCat("If it is the right one, remove ", file));
  }
  // After the file: a folder that got none must not be missed.
  MR_RETURN_IF_ERROR(metadata
                         .CompareAndSwap(kTokenKey, known.revision,
                                         absl::StrCat(kTokenRecordFormat, " ", folder.token))
                         .status());
  return folder;
}

absl::Status MetadataLost(const std::string& data_dir) {
  const std::string metadata = JoinPath(data_dir, kMetadataFolder);
  return MakeError(
      SqlState::kObjectNotInPrerequisiteState,
      absl::StrCat("the metadata of the cluster to which ", kDataSetting, " ", data_dir,
                   " belongs is missing: what lies in ", metadata, " is new, or another cluster's"),
      absl::StrCat("put ", metadata, " back from a copy, in place of what is there; a new cluster ",
                   "takes an empty ", kDataSetting));
}

}  // namespace

absl::StatusOr<SharedStorage> OpenSharedStorage(FileSystem& file_system, absl::string_view setting,
                                                const std::string& path,
                                                absl::string_view cluster_id) {
  SharedStorage folder{std::string(setting), path, ""};
  const std::string file = JoinPath(path, kStorageTokenFile);
  absl::StatusOr<std::string> stored = ReadWholeFile(file_system, file, kStorageTokenBytesMax);
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

absl::StatusOr<SharedFolders> OpenSharedFolders(FileSystem& file_system, MetadataStore& metadata,
                                                const std::string& data_dir,
                                                const std::string& checkpoint_dir,
                                                absl::string_view cluster_id) {
  absl::StatusOr<SharedStorage> data =
      OpenSharedStorage(file_system, kDataSetting, data_dir, cluster_id);
  if (GetErrorDetail(data.status()).state == SqlState::kObjectNotInPrerequisiteState) {
    return MetadataLost(data_dir);
  }
  MR_RETURN_IF_ERROR(data.status());
  MR_ASSIGN_OR_RETURN(SharedStorage checkpoints,
                      OpenCheckpointDir(file_system, metadata, checkpoint_dir, cluster_id));
  return SharedFolders{*std::move(data), std::move(checkpoints)};
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
