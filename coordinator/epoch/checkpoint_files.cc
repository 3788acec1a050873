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

std::string FolderName(uint64_t job_id) { return absl::StrCat(kFolderPrefix, job_id); }

std::string ManifestName(const v1::CheckpointManifest& manifest) {
  return JoinPath(FolderName(manifest.job_id()),
                  absl::StrCat(kManifestPrefix, manifest.epoch(), "-", manifest.attempt(), ".pb"));
}

absl::Status CannotRestore(const v1::CheckpointManifest& manifest, const std::string& path,
                           absl::string_view why) {
  return MakeError(SqlState::kDataCorrupted,
                   absl::StrCat("the checkpoint of epoch ", manifest.epoch(),
                                " cannot be restored: ", path, " ", why),
                   "put the file back, or choose another checkpoint");
}

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

CheckpointFiles::CheckpointFiles(std::string checkpoint_dir, std::string token)
    : checkpoint_dir_(std::move(checkpoint_dir)), token_(std::move(token)) {}

absl::StatusOr<FileSystem*> CheckpointFiles::OwnFolder() const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(checkpoint_dir_));
  MR_RETURN_IF_ERROR(CheckOwnFolder(*file_system, kSetting, checkpoint_dir_, token_));
  return file_system;
}

std::string CheckpointFiles::JobFolder(uint64_t job_id) const {
  return JoinPath(checkpoint_dir_, FolderName(job_id));
}

absl::Status CheckpointFiles::MakeJobFolder(uint64_t job_id) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, OwnFolder());
  return file_system->CreateFolders(JobFolder(job_id));
}

absl::StatusOr<std::string> CheckpointFiles::WriteManifest(
    const v1::CheckpointManifest& manifest) const {
  MR_FAILPOINT("checkpoint.before_manifest");
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, OwnFolder());
  std::string name = ManifestName(manifest);
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
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, OwnFolder());
  return Read(*file_system, name);
}

absl::StatusOr<v1::CheckpointManifest> CheckpointFiles::Read(FileSystem& file_system,
                                                             const std::string& name) const {
  const std::string path = JoinPath(checkpoint_dir_, name);
  MR_ASSIGN_OR_RETURN(const std::string record,
                      ReadRecordFile(file_system, path, "checkpoint manifest"));
  v1::CheckpointManifest manifest;
  if (!manifest.ParseFromString(record)) {
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
  // An older one in its place would have rows counted twice.
  if (ManifestName(manifest) != name) {
    return MakeError(SqlState::kDataCorrupted,
                     absl::StrCat("checkpoint manifest is damaged: ", path),
                     absl::StrCat("it is that of epoch ", manifest.epoch(), " of job ",
                                  manifest.job_id(), ", attempt ", manifest.attempt()));
  }
  return manifest;
}

absl::Status CheckpointFiles::CheckFiles(const v1::CheckpointManifest& manifest) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, OwnFolder());
  const std::string folder = JobFolder(manifest.job_id());
  for (const v1::CheckpointFile& file : manifest.files()) {
    const std::string path = JoinPath(folder, file.path());
    const absl::StatusOr<FileInfo> found = file_system->Stat(path);
    if (GetErrorDetail(found.status()).state == SqlState::kUndefinedFile) {
      return CannotRestore(manifest, path, "is not there");
    }
    MR_RETURN_IF_ERROR(found.status());
    if (found->size_bytes == file.size_bytes()) continue;
    return CannotRestore(
        manifest, path,
        absl::StrCat("has ", found->size_bytes, " bytes instead of ", file.size_bytes()));
  }
  return absl::OkStatus();
}

absl::Status CheckpointFiles::RemoveUnused(uint64_t job_id,
                                           const std::vector<std::string>& kept) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, OwnFolder());
  const std::string folder = JobFolder(job_id);
  std::set<std::string> needed;
  for (const std::string& name : kept) {
    MR_ASSIGN_OR_RETURN(const v1::CheckpointManifest manifest, Read(*file_system, name));
    needed.insert(JoinPath(checkpoint_dir_, name));
    for (const v1::CheckpointFile& file : manifest.files()) {
      needed.insert(JoinPath(folder, file.path()));
    }
  }
  return RemoveBelow(*file_system, folder, needed);
}

absl::Status CheckpointFiles::RemoveAll(uint64_t job_id) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, OwnFolder());
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
  const std::string path = JoinPath(checkpoint_dir_, kClusterIdFile);
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
