#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/storage/file_system.h"

namespace millrace {

// POSIX files. Stateless.
class LocalFileSystem final : public FileSystem {
 public:
  absl::StatusOr<FileInfo> Stat(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  absl::StatusOr<std::vector<FileInfo>> List(const std::string& folder) override;
  absl::Status CreateFolders(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status SyncFolder(const std::string& path) override;
  absl::Status Remove(const std::string& path) override;
  absl::StatusOr<std::string> Resolve(const std::string& path) override;
};

}  // namespace millrace
