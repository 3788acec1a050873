#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/scheduler/split_pool.h"

namespace millrace {

class FileSystem;

namespace v1 {
class StreamJobFile;
}  // namespace v1

struct StreamSpec;

// The plans and pinned splits of streaming jobs: one file each below data.dir. Thread-safe; blocks
// on the disk. All but Jobs give 58030 if data.dir is not there, or not the cluster's own any more.
class JobFiles {
 public:
  // `token`: what the folder's token file holds.
  JobFiles(std::string data_dir, std::string token);

  // Durable when it returns.
  absl::Status Write(uint64_t job_id, const v1::StreamJobFile& file) const;
  // XX001 if it is damaged, or that of another job.
  absl::StatusOr<v1::StreamJobFile> Read(uint64_t job_id) const;
  // Fine if there is none.
  absl::Status Remove(uint64_t job_id) const;
  // Jobs that have a file.
  absl::StatusOr<std::vector<uint64_t>> Jobs() const;

 private:
  absl::StatusOr<FileSystem*> OwnFolder() const;
  std::string PathOf(uint64_t job_id) const;

  const std::string data_dir_;
  const std::string token_;
};

// What must be written of a streaming job before it starts.
v1::StreamJobFile FileOf(const StreamSpec& spec);

// Splits in the form of the file, and back.
void ToProto(const std::vector<ScanSplits>& scans, v1::StreamJobFile* out);
std::vector<ScanSplits> ScansOf(const v1::StreamJobFile& file);

}  // namespace millrace
