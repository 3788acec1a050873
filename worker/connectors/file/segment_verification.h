#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/storage/checksum.h"
#include "common/storage/file_system.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

// Compares the checksum of a stored table's segment with the one that its commit has recorded.
// Parquet's own checksums cover its pages only, not how many rows there are, of what type, or
// between which bounds. A segment never changes, so a process that has found it whole does not read
// it whole again, unless the file has been written to since; what the disk does to it after that is
// left to the pages' checksums. Not thread-safe; several may verify the same segment at once.
class SegmentVerification {
 public:
  // Null if there is nothing to verify (any more). XX001 if the file has another size.
  static absl::StatusOr<std::unique_ptr<SegmentVerification>> Begin(FileSystem& file_system,
                                                                    const v1::FileSplit& split);
  // Reads some megabytes on; true when the segment was found whole, XX001 if it is damaged.
  absl::StatusOr<bool> Step();

 private:
  SegmentVerification(std::unique_ptr<ReadableFile> file, int64_t mtime_micros, uint64_t expected)
      : file_(std::move(file)), mtime_micros_(mtime_micros), expected_(expected) {}

  const std::unique_ptr<ReadableFile> file_;
  const int64_t mtime_micros_;
  const uint64_t expected_;
  Xxh3Stream checksum_;
  uint64_t offset_ = 0;
  std::vector<char> buffer_;
};

}  // namespace millrace
