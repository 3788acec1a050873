#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/scheduler/split_pool.h"

namespace millrace {

namespace v1 {
class StreamJobFile;
}  // namespace v1

struct StreamSpec;

// The plans and pinned splits of streaming jobs: one file each below data.dir. Thread-safe; blocks
// on the disk.
class JobFiles {
 public:
  explicit JobFiles(std::string data_dir);

  // Durable when it returns.
  absl::Status Write(uint64_t job_id, const v1::StreamJobFile& file) const;
  absl::StatusOr<v1::StreamJobFile> Read(uint64_t job_id) const;
  // Fine if there is none.
  absl::Status Remove(uint64_t job_id) const;
  // Jobs that have a file.
  absl::StatusOr<std::vector<uint64_t>> Jobs() const;

 private:
  std::string PathOf(uint64_t job_id) const;

  const std::string data_dir_;
};

// What must be written of a streaming job before it starts.
v1::StreamJobFile FileOf(const StreamSpec& spec);

// Splits in the form of the file, and back.
void ToProto(const std::vector<ScanSplits>& scans, v1::StreamJobFile* out);
std::vector<ScanSplits> ScansOf(const v1::StreamJobFile& file);

}  // namespace millrace
