#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/storage/file_system.h"

namespace millrace {

// Which folders statements may read and write: what lies below an allowed folder, but nothing below
// the cluster's own folders. Only for paths that users name: what the cluster itself keeps in its
// folders is read and written without asking here. Immutable, thread-safe.
class PathPolicy {
 public:
  // Resolves all folders once; a folder that does not exist is kept as written. `cluster_folders`
  // hold what the cluster lives by (metadata, stored tables, checkpoints); they win over the
  // allowed ones.
  static absl::StatusOr<PathPolicy> Create(FileSystem& file_system,
                                           const std::vector<std::string>& allowed_folders,
                                           const std::vector<std::string>& cluster_folders);

  // The absolute form of `path` (a file, folder or glob; relative ones lie below `working_folder`)
  // if what it resolves to, links followed, lies in an allowed folder and not in the cluster's own.
  // 42501 otherwise, with what would help as hint. Of a glob, the folders before the first wildcard
  // are checked here; check each listed file with CheckFile.
  absl::StatusOr<std::string> CheckPath(absl::string_view working_folder,
                                        absl::string_view path) const;
  // The same for one file of a listing.
  absl::Status CheckFile(const std::string& absolute_path) const;

  const std::vector<std::string>& allowed_folders() const { return allowed_folders_; }

 private:
  PathPolicy(FileSystem& file_system, std::vector<std::string> allowed_folders,
             std::vector<std::string> cluster_folders)
      : file_system_(&file_system),
        allowed_folders_(std::move(allowed_folders)),
        cluster_folders_(std::move(cluster_folders)) {}

  FileSystem* file_system_;
  std::vector<std::string> allowed_folders_;
  std::vector<std::string> cluster_folders_;
};

}  // namespace millrace
