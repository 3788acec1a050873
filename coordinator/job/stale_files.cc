#include "coordinator/job/stale_files.h"

#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/connector_spec/file_options.h"
#include "common/logging/log.h"
#include "common/storage/checksum.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "coordinator/scheduler/placement.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

// Folders of the plan's sinks, each once.
struct SinkFolders {
  std::set<std::string> outside;
  std::set<std::string> tables;
};

SinkFolders FoldersOf(const v1::PhysicalPlan& plan) {
  SinkFolders folders;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&folders](const v1::PlanNode& node) {
      if (node.has_table_sink()) folders.tables.insert(node.table_sink().staging_path());
      if (!node.has_file_sink()) return;
      const OptionMap option_map = ToOptionMap(node.file_sink().options());
      const auto connector = option_map.find("connector");
      if (connector != option_map.end() && connector->second != "file") return;
      const auto options = ParseFileOptions(option_map);
      if (!options.ok()) return;  // Of a sink that writes no files.
      const bool one_file = options->names_single_file();
      folders.outside.insert(one_file ? FolderOf(options->path) : options->path);
    });
  }
  return folders;
}

}  // namespace

std::vector<std::string> StagingFolders(const v1::PhysicalPlan& plan) {
  const SinkFolders folders = FoldersOf(plan);
  return {folders.outside.begin(), folders.outside.end()};
}

absl::Status RemoveStaleFiles(const v1::PhysicalPlan& plan, const FileOwner& owner,
                              uint32_t attempt) {
  const SinkFolders folders = FoldersOf(plan);
  absl::Status first_error;
  for (const std::string& folder : folders.outside) {
    MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(folder));
    first_error.Update(RemoveStaleStagedFiles(*file_system, folder, owner, attempt));
  }
  for (const std::string& folder : folders.tables) {
    MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(folder));
    first_error.Update(
        RemoveFilesOfAttempts(*file_system, folder, SegmentNamePrefix(owner.job_id), attempt));
  }
  return first_error;
}

absl::Status WithdrawCommitted(const v1::CheckpointManifest& manifest) {
  std::set<std::string> folders;
  for (const v1::StagedFile& file : manifest.pending_files()) {
    MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(file.final_path()));
    MR_RETURN_IF_ERROR(file_system->Remove(file.staged_path()));
    const absl::StatusOr<FileInfo> info = file_system->Stat(file.final_path());
    if (!info.ok() && GetErrorDetail(info.status()).state == SqlState::kUndefinedFile) continue;
    MR_RETURN_IF_ERROR(info.status());
    MR_ASSIGN_OR_RETURN(const uint64_t checksum, ChecksumOfFile(*file_system, file.final_path()));
    if (info->size_bytes != file.size_bytes() || checksum != file.checksum_xxh3()) {
      Log(LogLevel::kWarning, "job", "a file that was changed since it was committed stays",
          {{"job", manifest.job_id()}, {"path", file.final_path()}});
      continue;
    }
    MR_RETURN_IF_ERROR(file_system->Remove(file.final_path()));
    folders.insert(FolderOf(file.final_path()));
  }
  for (const std::string& folder : folders) {
    MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(folder));
    MR_RETURN_IF_ERROR(file_system->SyncFolder(folder));
  }
  return absl::OkStatus();
}

absl::Status CommitPending(const v1::CheckpointManifest& manifest) {
  if (manifest.pending_files().empty()) return absl::OkStatus();
  const std::vector<v1::StagedFile> pending(manifest.pending_files().begin(),
                                            manifest.pending_files().end());
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(pending[0].final_path()));
  return CommitStagedFiles(*file_system, pending);
}

}  // namespace millrace
