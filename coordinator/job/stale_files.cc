#include "coordinator/job/stale_files.h"

#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/connector_spec/file_options.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "coordinator/scheduler/placement.h"
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

}  // namespace millrace
