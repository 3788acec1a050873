#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/connector_spec/file_options.h"
#include "common/storage/file_system.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

namespace v1 {
class PhysicalPlan;
class ScanNode;
}  // namespace v1

// The options of a scan of files that has follow = true; nothing for every other scan.
std::optional<FileOptions> FollowOptions(const v1::ScanNode& scan);
// Whether splits can appear while a stream reads that scan of the plan: files, or partitions of a
// topic.
bool FollowsInput(const v1::PhysicalPlan& plan, uint32_t scan_id);

// Whether rows can be appended to the file: text that is not compressed. Other files are read as
// they are when they appear.
bool MayGrow(const FileOptions& options, const std::string& path);

// A split that follows the file; it has no id yet.
v1::Split FollowingSplit(const FileOptions& options, const std::string& path);

// For queries that end: the split of a file that may grow, up to its last line end; nothing if it
// has no complete line.
absl::StatusOr<std::optional<v1::Split>> CompleteLines(FileSystem& file_system,
                                                       const FileOptions& options,
                                                       const FileInfo& file);

}  // namespace millrace
