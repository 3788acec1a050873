#include "coordinator/job/stale_files.h"

#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/connector_spec/file_options.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "coordinator/epoch/checkpoint_files.h"
#include "coordinator/scheduler/placement.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

void AddFolder(const v1::PlanNode& node, std::set<std::string>& folders) {
  if (node.has_table_sink()) folders.insert(node.table_sink().staging_path());
  if (!node.has_file_sink()) return;
  const OptionMap option_map = ToOptionMap(node.file_sink().options());
  const auto connector = option_map.find("connector");
  if (connector != option_map.end() && connector->second != "file") return;
  const auto options = ParseFileOptions(option_map);
  if (!options.ok()) return;  // Of a sink that writes no files.
  folders.insert(options->names_single_file() ? FolderOf(options->path) : options->path);
}

}  // namespace

absl::Status RemoveStaleFiles(const v1::PhysicalPlan& plan, uint64_t job_id, uint32_t attempt) {
  std::set<std::string> folders;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(),
                [&folders](const v1::PlanNode& node) { AddFolder(node, folders); });
  }
  absl::Status first_error;
  for (const std::string& folder : folders) {
    MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(folder));
    first_error.Update(RemoveStaleStagedFiles(*file_system, folder, job_id, attempt));
  }
  return first_error;
}

absl::Status CommitPending(const CheckpointFiles& checkpoints,
                           const v1::CheckpointManifest& manifest) {
  if (manifest.pending_files().empty()) return absl::OkStatus();
  const std::vector<v1::StagedFile> pending(manifest.pending_files().begin(),
                                            manifest.pending_files().end());
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(pending[0].final_path()));
  MR_RETURN_IF_ERROR(CommitStagedFiles(*file_system, pending));
  v1::CheckpointManifest committed = manifest;
  committed.clear_pending_files();
  return checkpoints.WriteManifest(committed).status();
}

}  // namespace millrace
