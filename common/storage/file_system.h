#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

// What a listing tells of one file or folder.
struct FileInfo {
  std::string path;
  uint64_t size_bytes = 0;
  int64_t mtime_micros = 0;
  bool is_folder = false;
};

// An open file. Thread-safe: reads carry their own position.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  // Reads up to `num_bytes` at `offset` into `out`; fewer only at the end of the file. 0 = end.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t num_bytes, char* out) const = 0;
  virtual const std::string& path() const = 0;
};

// A file being written from its beginning. After a failed call only Close follows.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // The bytes survive a crash after this; the name only after FileSystem::SyncFolder.
  virtual absl::Status Sync() = 0;
  // May be called twice; the destructor closes too, without a report.
  virtual absl::Status Close() = 0;
};

// The seam to disks. Every error names the path: 58P01 missing, 42501 permission, 53100 disk full,
// 58030 anything else. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Follows symbolic links. 58P01 if there is nothing.
  virtual absl::StatusOr<FileInfo> Stat(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) = 0;
  // Creates the file, or empties it if it exists. The folder must exist.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  // Files and folders directly below, in no order, with full paths; links are followed, dangling
  // ones left out.
  virtual absl::StatusOr<std::vector<FileInfo>> List(const std::string& folder) = 0;
  // Creates the folder and all above it; fine if it exists. The new names are durable when it
  // returns.
  virtual absl::Status CreateFolders(const std::string& path) = 0;
  // Atomic within a file system; replaces `to`. Durable after SyncFolder of the folder of `to`.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status SyncFolder(const std::string& path) = 0;
  // Removes a file or an empty folder; fine if there is none.
  virtual absl::Status Remove(const std::string& path) = 0;
  // The path without links, "." and "..". Parts at the end that do not exist (yet) are kept as they
  // are.
  virtual absl::StatusOr<std::string> Resolve(const std::string& path) = 0;
};

// The file system that `path` lies on: the local one. 0A000 for "s3://…" and other schemes.
absl::StatusOr<FileSystem*> FileSystemOf(absl::string_view path);

// "a/b" + "c" → "a/b/c"; an absolute `name` stands for itself.
std::string JoinPath(absl::string_view folder, absl::string_view name);
// The folder part of a path: "a/b.csv" → "a", "b.csv" → ".", "/b" → "/".
std::string FolderOf(absl::string_view path);
// The last part: "a/b.csv" → "b.csv".
std::string FileNameOf(absl::string_view path);

}  // namespace millrace
