#include "coordinator/job/sink_commit.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/storage/checksum.h"

namespace millrace {
namespace {

constexpr int kManifestFormat = 1;

// The files of a commit that lie in one folder.
struct FolderPart {
  std::string folder;
  std::vector<v1::StagedFile> files;
  // All of them have names that only this job gives: the target is a folder.
  bool has_manifest = true;
  std::string manifest_path;
};

std::vector<FolderPart> PartsOf(const SinkCommit& commit) {
  std::map<std::string, FolderPart> parts;
  for (const v1::StagedFile& file : commit.files) {
    FolderPart& part = parts[FolderOf(file.final_path())];
    part.files.push_back(file);
    part.has_manifest = part.has_manifest && absl::StartsWith(FileNameOf(file.final_path()),
                                                              CommittedNamePrefix(commit.owner));
  }
  std::vector<FolderPart> sorted;
  for (auto& [folder, part] : parts) {
    part.folder = folder;
    part.manifest_path = JoinPath(JoinPath(folder, kManifestFolder),
                                  absl::StrCat(NamePrefixOf(commit.owner), commit.epoch, ".json"));
    sorted.push_back(std::move(part));
  }
  return sorted;
}

// The same commit has the same text. Names of ours need no escapes.
std::string ManifestText(const SinkCommit& commit, FolderPart part) {
  std::sort(part.files.begin(), part.files.end(),
            [](const v1::StagedFile& a, const v1::StagedFile& b) {
              return a.final_path() < b.final_path();
            });
  std::string text =
      absl::StrFormat("{\"format\": %d, \"cluster\": \"%s\", \"job\": %d, \"epoch\": %d, ",
                      kManifestFormat, commit.owner.cluster, commit.owner.job_id, commit.epoch);
  absl::StrAppend(&text, "\"files\": [");
  const char* separator = "\n";
  for (const v1::StagedFile& file : part.files) {
    absl::StrAppendFormat(
        &text, "%s  {\"name\": \"%s\", \"rows\": %d, \"bytes\": %d, \"xxh3\": \"%016x\"}",
        separator, FileNameOf(file.final_path()), file.rows(), file.size_bytes(),
        file.checksum_xxh3());
    separator = ",\n";
  }
  absl::StrAppend(&text, "\n]}\n");
  return text;
}

absl::StatusOr<bool> IsThere(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<FileInfo> info = file_system.Stat(path);
  if (info.ok()) return true;
  if (GetErrorDetail(info.status()).state == SqlState::kUndefinedFile) return false;
  return info.status();
}

// True if the file is there and holds what was recorded of it.
absl::StatusOr<bool> IsUnchanged(FileSystem& file_system, const v1::StagedFile& file) {
  const auto compare = [&]() -> absl::StatusOr<bool> {
    MR_ASSIGN_OR_RETURN(const FileInfo info, file_system.Stat(file.final_path()));
    if (info.size_bytes != file.size_bytes()) return false;
    MR_ASSIGN_OR_RETURN(const uint64_t checksum, ChecksumOfFile(file_system, file.final_path()));
    return checksum == file.checksum_xxh3();
  };
  absl::StatusOr<bool> same = compare();
  if (!same.ok() && GetErrorDetail(same.status()).state == SqlState::kUndefinedFile) return false;
  return same;
}

// An earlier try has got to the end of this folder.
absl::StatusOr<bool> IsComplete(FileSystem& file_system, const SinkCommit& commit,
                                const FolderPart& part) {
  if (!part.has_manifest) return false;
  MR_ASSIGN_OR_RETURN(const bool there, IsThere(file_system, part.manifest_path));
  if (!there) return false;
  MR_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(file_system, part.manifest_path));
  return text == ManifestText(commit, part);
}

// Checks that the part's folder is the one that was written to: one of the files is there, or what
// earlier commits have left. From then on that is so, whatever becomes of the files.
absl::Status CheckFolder(FileSystem& file_system, const FolderPart& part) {
  const std::string manifests = JoinPath(part.folder, kManifestFolder);
  for (const v1::StagedFile& file : part.files) {
    for (const std::string& path : {file.staged_path(), file.final_path()}) {
      MR_ASSIGN_OR_RETURN(const bool there, IsThere(file_system, path));
      if (!there) continue;
      return part.has_manifest ? file_system.CreateFolders(manifests) : absl::OkStatus();
    }
  }
  MR_ASSIGN_OR_RETURN(const bool there, IsThere(file_system, manifests));
  return there ? absl::OkStatus() : SinkFolderNotThere(part.folder);
}

// The files that an earlier round has not renamed. The others belong to whoever reads them.
absl::StatusOr<std::vector<v1::StagedFile>> NotRenamed(FileSystem& file_system,
                                                       const SinkCommit& commit,
                                                       const FolderPart& part) {
  std::vector<v1::StagedFile> files;
  for (const v1::StagedFile& file : part.files) {
    MR_ASSIGN_OR_RETURN(const bool staged, IsThere(file_system, file.staged_path()));
    if (staged) {
      files.push_back(file);
      continue;
    }
    MR_ASSIGN_OR_RETURN(const bool unchanged, IsUnchanged(file_system, file));
    if (unchanged) continue;
    Log(LogLevel::kWarning, "job",
        "a file was taken away or changed before its commit was recorded",
        {{"job", commit.owner.job_id}, {"epoch", commit.epoch}, {"path", file.final_path()}});
  }
  return files;
}

absl::Status RenameFiles(FileSystem& file_system, const SinkCommit& commit, const FolderPart& part,
                         CommitRound round) {
  MR_RETURN_IF_ERROR(CheckFolder(file_system, part));
  std::vector<v1::StagedFile> files = part.files;
  if (round == CommitRound::kRepeated) {
    MR_ASSIGN_OR_RETURN(files, NotRenamed(file_system, commit, part));
  }
  MR_RETURN_IF_ERROR(CommitStagedFiles(file_system, files));
  // Of what was renamed before, the crash may have come between rename and fsync.
  if (files.size() == part.files.size()) return absl::OkStatus();
  return file_system.SyncFolder(part.folder);
}

absl::Status RemoveManifest(FileSystem& file_system, const FolderPart& part) {
  if (!part.has_manifest) return absl::OkStatus();
  const std::string folder = FolderOf(part.manifest_path);
  MR_RETURN_IF_ERROR(file_system.Remove(part.manifest_path));
  // What a crash has left of its writing.
  const std::string name = FileNameOf(part.manifest_path);
  MR_RETURN_IF_ERROR(file_system.Remove(JoinPath(folder, absl::StrCat(kStagedPrefix, name))));
  return file_system.SyncFolder(folder);
}

absl::Status RemoveCommitted(FileSystem& file_system, const SinkCommit& commit,
                             const FolderPart& part) {
  for (const v1::StagedFile& file : part.files) {
    MR_RETURN_IF_ERROR(file_system.Remove(file.staged_path()));
    if (!part.has_manifest) continue;
    MR_ASSIGN_OR_RETURN(const bool there, IsThere(file_system, file.final_path()));
    if (!there) continue;
    MR_ASSIGN_OR_RETURN(const bool unchanged, IsUnchanged(file_system, file));
    if (!unchanged) {
      Log(LogLevel::kWarning, "job", "a file that was changed since it was committed stays",
          {{"job", commit.owner.job_id}, {"path", file.final_path()}});
      continue;
    }
    MR_RETURN_IF_ERROR(file_system.Remove(file.final_path()));
  }
  return part.has_manifest ? file_system.SyncFolder(part.folder) : absl::OkStatus();
}

// The epoch in "part-<owner>-<object>-<task>-<epoch>-<number>.<format>".
std::optional<uint64_t> EpochOfPart(const std::string& name, const FileOwner& owner) {
  absl::string_view rest = name;
  if (!absl::ConsumePrefix(&rest, CommittedNamePrefix(owner))) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, '-');
  uint64_t epoch = 0;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[2], &epoch)) return std::nullopt;
  return epoch;
}

// The epoch in "<owner>-<epoch>.json", also while that is written.
std::optional<uint64_t> EpochOfManifest(const std::string& name, const FileOwner& owner) {
  absl::string_view rest = name;
  absl::ConsumePrefix(&rest, kStagedPrefix);
  uint64_t epoch = 0;
  if (!absl::ConsumePrefix(&rest, NamePrefixOf(owner)) || !absl::ConsumeSuffix(&rest, ".json") ||
      !absl::SimpleAtoi(rest, &epoch)) {
    return std::nullopt;
  }
  return epoch;
}

absl::Status RemoveBehind(FileSystem& file_system, const std::string& folder,
                          const FileOwner& owner, uint64_t epoch,
                          std::optional<uint64_t> (*epoch_of)(const std::string&,
                                                              const FileOwner&)) {
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> entries, file_system.List(folder));
  uint64_t removed = 0;
  for (const FileInfo& entry : entries) {
    const std::optional<uint64_t> committed = epoch_of(FileNameOf(entry.path), owner);
    if (entry.is_folder || !committed.has_value() || *committed <= epoch) continue;
    MR_RETURN_IF_ERROR(file_system.Remove(entry.path));
    ++removed;
  }
  if (removed == 0) return absl::OkStatus();
  Log(LogLevel::kWarning, "job", "files of checkpoints that cannot be read were removed by name",
      {{"job", owner.job_id}, {"folder", folder}, {"files", removed}});
  return file_system.SyncFolder(folder);
}

}  // namespace

absl::Status SinkFolderNotThere(const std::string& folder) {
  ErrorDetail detail;
  detail.state = SqlState::kIoError;
  detail.retry = Retry::kSafe;
  detail.hint =
      absl::StrCat("is its file system mounted? If the folder is the right one, and its ",
                   "files were taken away, make a folder \"", kManifestFolder, "\" in it");
  return MakeError(detail, absl::StrCat("the sink's folder \"", folder,
                                        "\" is not there, or not the one that was written to"));
}

SinkCommit SinkCommitOf(const v1::CheckpointManifest& manifest, std::string cluster) {
  return {{std::move(cluster), manifest.job_id()},
          manifest.epoch(),
          {manifest.pending_files().begin(), manifest.pending_files().end()}};
}

absl::Status CommitSinkFiles(FileSystem& file_system, const SinkCommit& commit, CommitRound round) {
  std::vector<FolderPart> parts;
  for (FolderPart& part : PartsOf(commit)) {
    MR_ASSIGN_OR_RETURN(const bool complete, IsComplete(file_system, commit, part));
    if (!complete) {
      MR_RETURN_IF_ERROR(RenameFiles(file_system, commit, part, round));
      parts.push_back(std::move(part));
      continue;
    }
    // The crash may have come between its rename and the fsync.
    MR_RETURN_IF_ERROR(file_system.SyncFolder(FolderOf(part.manifest_path)));
  }
  MR_FAILPOINT("sink_commit.before_manifest");
  for (const FolderPart& part : parts) {
    if (!part.has_manifest) continue;
    MR_RETURN_IF_ERROR(
        WriteFileAtomically(file_system, part.manifest_path, ManifestText(commit, part)));
  }
  MR_FAILPOINT("sink_commit.after_manifest");
  return absl::OkStatus();
}

absl::Status WithdrawSinkFiles(FileSystem& file_system, const SinkCommit& commit) {
  const std::vector<FolderPart> parts = PartsOf(commit);
  for (const FolderPart& part : parts) {
    if (part.has_manifest) MR_RETURN_IF_ERROR(CheckFolder(file_system, part));
  }
  for (const FolderPart& part : parts) MR_RETURN_IF_ERROR(RemoveManifest(file_system, part));
  MR_FAILPOINT("sink_commit.after_manifest_removal");
  for (const FolderPart& part : parts) {
    MR_RETURN_IF_ERROR(RemoveCommitted(file_system, commit, part));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HoldsCommits(FileSystem& file_system, const std::string& folder,
                                  const FileOwner& owner) {
  MR_ASSIGN_OR_RETURN(const bool has_manifests,
                      IsThere(file_system, JoinPath(folder, kManifestFolder)));
  if (has_manifests) return true;
  MR_ASSIGN_OR_RETURN(const bool there, IsThere(file_system, folder));
  if (!there) return SinkFolderNotThere(folder);
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> entries, file_system.List(folder));
  const std::string prefix = CommittedNamePrefix(owner);
  for (const FileInfo& entry : entries) {
    if (absl::StartsWith(FileNameOf(entry.path), prefix)) return SinkFolderNotThere(folder);
  }
  return false;
}

absl::Status WithdrawSinkFilesBehind(FileSystem& file_system, const std::string& folder,
                                     const FileOwner& owner, uint64_t epoch) {
  MR_ASSIGN_OR_RETURN(const bool holds_commits, HoldsCommits(file_system, folder, owner));
  if (!holds_commits) return absl::OkStatus();
  const std::string manifests = JoinPath(folder, kManifestFolder);
  MR_RETURN_IF_ERROR(RemoveBehind(file_system, manifests, owner, epoch, &EpochOfManifest));
  return RemoveBehind(file_system, folder, owner, epoch, &EpochOfPart);
}

}  // namespace millrace
