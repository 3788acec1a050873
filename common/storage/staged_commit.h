#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/storage/file_system.h"

namespace millrace {

namespace v1 {
class StagedFile;
}  // namespace v1

// How long-lived files come into being: written under a staged name, fsynced, renamed, folder
// fsynced. The staged name lies in the same folder, begins with '_' (so that readers leave it out)
// and holds cluster, job and attempt.
inline constexpr char kStagedPrefix[] = "_staging-";

// Where, beside a sink's files, the manifests of its commits lie; readers leave this name out, too.
inline constexpr char kManifestFolder[] = "_manifest";

// Whose files they are. Several clusters may write into one folder.
struct FileOwner {
  // The beginning of the cluster's id; may be empty.
  std::string cluster;
  uint64_t job_id = 0;
};

// "c0ffee00-7-", or "7-" without a cluster: what names of the job's files have in common.
std::string NamePrefixOf(const FileOwner& owner);

// "part-c0ffee00-7-": how the names begin under which the job's sinks commit files in a folder.
std::string CommittedNamePrefix(const FileOwner& owner);

// Segments of stored tables, which no other cluster writes, have their final names at once:
// "part-<job>-<attempt>-…".
std::string SegmentNamePrefix(uint64_t job_id);

// "out/part-1.csv", job 7 of c0ffee00, attempt 2 → "out/_staging-c0ffee00-7-2-part-1.csv".
std::string StagedPath(const std::string& final_path, const FileOwner& owner, uint32_t attempt);

// Gives staged files their final names and fsyncs the folders. Idempotent: a file that is already
// there with the recorded size and checksum counts as done. XX001 if neither name holds the
// recorded file. Files are durable when it returns OK.
absl::Status CommitStagedFiles(FileSystem& file_system, const std::vector<v1::StagedFile>& files);

// Removes staged files that will never be committed. Idempotent; committed files stay.
absl::Status AbortStagedFiles(FileSystem& file_system, const std::vector<v1::StagedFile>& files);

// Removes the staged files of a job's attempts before `attempt` from a folder: what a lost worker
// has left there. Idempotent.
absl::Status RemoveStaleStagedFiles(FileSystem& file_system, const std::string& folder,
                                    const FileOwner& owner, uint32_t attempt);
// Files whose names are `prefix`, the number of an attempt before `attempt`, '-' and a rest.
absl::Status RemoveFilesOfAttempts(FileSystem& file_system, const std::string& folder,
                                   absl::string_view prefix, uint32_t attempt);

// Writes `bytes` so that after a crash the old or the new content is there, never a mixture:
// staged, fsynced, renamed, folder fsynced.
absl::Status WriteFileAtomically(FileSystem& file_system, const std::string& path,
                                 absl::string_view bytes);

// The whole content of a small file; 54000 if it is larger than `bytes_max`.
absl::StatusOr<std::string> ReadWholeFile(FileSystem& file_system, const std::string& path,
                                          uint64_t bytes_max = uint64_t{256} << 20);

}  // namespace millrace
