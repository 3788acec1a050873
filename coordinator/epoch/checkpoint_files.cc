#include "coordinator/epoch/checkpoint_files.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_system.h"
#include "common/storage/record_file.h"
#include "common/storage/staged_commit.h"
#include "coordinator/metadata/id_allocator.h"
#include "coordinator/metadata/metadata_store.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

constexpr uint32_t kManifestFormat = 4;
constexpr char kSetting[] = "checkpoint-dir";
constexpr char kManifestPrefix[] = "manifest-";
constexpr char kFolderPrefix[] = "job-";
constexpr char kOwnerFile[] = "cluster-id";

std::string FolderName(uint64_t job_id) { return absl::StrCat(kFolderPrefix, job_id); }

// Removes the files below `folder` that are not in `kept`, and then the folders that are empty.
absl::Status RemoveBelow(FileSystem& file_system, const std::string& folder,
                         const std::set<std::string>& kept) {
  if (!file_system.Stat(folder).ok()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> entries, file_system.List(folder));
  for (const FileInfo& entry : entries) {
    if (entry.is_folder) {
      MR_RETURN_IF_ERROR(RemoveBelow(file_system, entry.path, kept));
      // Fails while something is in it.
      file_system.Remove(entry.path).IgnoreError();
    } else if (!kept.contains(entry.path)) {
      MR_RETURN_IF_ERROR(file_system.Remove(entry.path));
    }
  }
  return absl::OkStatus();
}

}  // namespace

CheckpointFiles::CheckpointFiles(std::string checkpoint_dir)
    : checkpoint_dir_(std::move(checkpoint_dir)) {}

std::string CheckpointFiles::JobFolder(uint64_t job_id) const {
  return JoinPath(checkpoint_dir_, FolderName(job_id));
}

absl::Status CheckpointFiles::MakeJobFolder(uint64_t job_id) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(checkpoint_dir_));
  MR_RETURN_IF_ERROR(CheckOwnFolder(*file_system, kSetting, checkpoint_dir_));
  return file_system->CreateFolders(JobFolder(job_id));
}

absl::StatusOr<std::string> CheckpointFiles::WriteManifest(
    const v1::CheckpointManifest& manifest) const {
  MR_FAILPOINT("checkpoint.before_manifest");
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(checkpoint_dir_));
  const std::string folder = FolderName(manifest.job_id());
  const std::string name = JoinPath(
      folder, absl::StrCat(kManifestPrefix, manifest.epoch(), "-", manifest.attempt(), ".pb"));
  MR_RETURN_IF_ERROR(CheckOwnFolder(*file_system, kSetting, checkpoint_dir_));
  MR_RETURN_IF_ERROR(RequireFolder(*file_system, JobFolder(manifest.job_id())));
  v1::CheckpointManifest versioned = manifest;
  versioned.set_format_version(kManifestFormat);
  MR_RETURN_IF_ERROR(WriteRecordFile(*file_system, JoinPath(checkpoint_dir_, name),
                                     versioned.SerializeAsString()));
  MR_FAILPOINT("checkpoint.after_manifest");
  return name;
}

absl::StatusOr<v1::CheckpointManifest> CheckpointFiles::ReadManifest(
    const std::string& name) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(checkpoint_dir_));
  const std::string path = JoinPath(checkpoint_dir_, name);
  const absl::StatusOr<std::string> record =
      ReadRecordFile(*file_system, path, "checkpoint manifest");
  if (GetErrorDetail(record.status()).state == SqlState::kUndefinedFile) {
    MR_RETURN_IF_ERROR(CheckOwnFolder(*file_system, kSetting, checkpoint_dir_));
  }
  MR_RETURN_IF_ERROR(record.status());
  v1::CheckpointManifest manifest;
  if (!manifest.ParseFromString(*record)) {
    return MakeError(SqlState::kDataCorrupted,
                     absl::StrCat("checkpoint manifest is damaged: ", path));
  }
  MR_RETURN_IF_ERROR(CheckRecordFormat(absl::StrCat("checkpoint manifest ", path),
                                       manifest.format_version(), kManifestFormat));
  if (manifest.format_version() < kManifestFormat) {
    return MakeError(
        SqlState::kFeatureNotSupported,
        absl::StrCat("checkpoint manifest ", path, " has format ", manifest.format_version(),
                     ", this version reads ", kManifestFormat, " only"));
  }
  return manifest;
}

absl::Status CheckpointFiles::RemoveUnused(uint64_t job_id,
                                           const std::vector<std::string>& kept) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(checkpoint_dir_));
  const std::string folder = JobFolder(job_id);
  std::set<std::string> needed;
  for (const std::string& name : kept) {
    MR_ASSIGN_OR_RETURN(const v1::CheckpointManifest manifest, ReadManifest(name));
    needed.insert(JoinPath(checkpoint_dir_, name));
    for (const v1::CheckpointFile& file : manifest.files()) {
      needed.insert(JoinPath(folder, file.path()));
    }
  }
  return RemoveBelow(*file_system, folder, needed);
}

absl::Status CheckpointFiles::RemoveAll(uint64_t job_id) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(checkpoint_dir_));
  MR_RETURN_IF_ERROR(RemoveBelow(*file_system, JobFolder(job_id), {}));
  return file_system->Remove(JobFolder(job_id));
}

absl::StatusOr<std::vector<uint64_t>> CheckpointFiles::Jobs() const {
  std::vector<uint64_t> jobs;
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(checkpoint_dir_));
  if (!file_system->Stat(checkpoint_dir_).ok()) return jobs;
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> entries, file_system->List(checkpoint_dir_));
  for (const FileInfo& entry : entries) {
    const std::string name = FileNameOf(entry.path);
    absl::string_view number = name;
    uint64_t id = 0;
    if (!entry.is_folder || !absl::ConsumePrefix(&number, kFolderPrefix)) continue;
    if (absl::SimpleAtoi(number, &id) && name == FolderName(id)) jobs.push_back(id);
  }
  return jobs;
}

absl::Status CheckpointFiles::Claim(const std::string& cluster_id) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(checkpoint_dir_));
  MR_RETURN_IF_ERROR(file_system->CreateFolders(checkpoint_dir_));
  const std::string path = JoinPath(checkpoint_dir_, kOwnerFile);
  const absl::StatusOr<std::string> stored = ReadWholeFile(*file_system, path);
  if (stored.ok()) {
    MR_ASSIGN_OR_RETURN(const std::string owner, ClusterIdOf(path, *stored));
    if (owner == cluster_id) return absl::OkStatus();
    return MakeError(SqlState::kObjectInUse,
                     absl::StrCat("the checkpoint folder ", checkpoint_dir_,
                                  " belongs to another cluster, ", owner),
                     "choose another checkpoint-dir, or remove the folder if that cluster is gone");
  }
  if (GetErrorDetail(stored.status()).state != SqlState::kUndefinedFile) return stored.status();
  return WriteFileAtomically(*file_system, path, ClusterIdRecord(cluster_id));
}

}  // namespace millrace
