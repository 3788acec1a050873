#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace millrace {

class FileSystem;

// Whose a data folder is shows by a file that its program leaves there at its first start: what the
// two programs keep would lie side by side otherwise, and be removed with each other.

// In the data and checkpoint folder of a coordinator; holds the folder's token.
inline constexpr char kStorageTokenFile[] = "_shared-storage-token";
inline constexpr uint64_t kStorageTokenBytesMax = 4096;
// In the checkpoint folder: the id of the cluster whose it is.
inline constexpr char kClusterIdFile[] = "cluster-id";
// In the data folder of a coordinator: its metadata store.
inline constexpr char kMetadataFolder[] = "metadata";
// In the data folder of workers; empty, so that several that start at the same moment may write it.
inline constexpr char kWorkerFolderFile[] = "_worker-folder";

// 55000 if the folder, which `setting` of the coordinator names, is a worker's. It need not exist.
absl::Status RefuseWorkerFolder(FileSystem& file_system, absl::string_view setting,
                                const std::string& path);

// 58030 unless the coordinator's folder, which `setting` names, is the one that the process has
// opened, or proved to see, at its start: `token` is in its file. Where a file system has gone an
// empty mount point is left, and what is written there is lost when it comes back. Another
// cluster's folder may be in its place, and job numbers of two clusters are the same.
absl::Status CheckOwnFolder(FileSystem& file_system, absl::string_view setting,
                            const std::string& path, absl::string_view token);

// 58030 if the folder, which another process has made, is not there: it must not be made anew.
absl::Status RequireFolder(FileSystem& file_system, const std::string& path);

// Makes the folder if there is none, and its mark. 55000 if it is a coordinator's.
absl::Status ClaimWorkerFolder(FileSystem& file_system, const std::string& path);

}  // namespace millrace
