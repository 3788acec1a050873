#include "coordinator/scheduler/followed_files.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "coordinator/scheduler/partition_splits.h"
#include "coordinator/scheduler/placement.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

std::optional<FileOptions> FollowOptions(const v1::ScanNode& scan) {
  if (scan.connector() != "file" || !scan.options().contains("follow")) return std::nullopt;
  absl::StatusOr<FileOptions> options = ParseFileOptions(ToOptionMap(scan.options()));
  if (!options.ok() || !options->follow) return std::nullopt;
  return *std::move(options);
}

bool FollowsInput(const v1::PhysicalPlan& plan, uint32_t scan_id) {
  bool follows = false;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (!node.has_scan() || node.scan().scan_id() != scan_id) return;
      follows = follows || FollowOptions(node.scan()).has_value() || FollowsPartitions(node.scan());
    });
  }
  return follows;
}

bool MayGrow(const FileOptions& options, const std::string& path) {
  return options.format != FileFormat::kParquet &&
         ReadCompression(options, path) == Compression::kNone;
}

v1::Split FollowingSplit(const FileOptions& options, const std::string& path) {
  v1::Split split;
  v1::FileSplit* file = split.mutable_file();
  file->set_path(path);
  file->set_format(std::string(FileFormatName(options.format)));
  file->set_follow(true);
  return split;
}

absl::StatusOr<std::optional<v1::Split>> CompleteLines(FileSystem& file_system,
                                                       const FileOptions& options,
                                                       const FileInfo& file) {
  constexpr uint64_t kStepBytes = uint64_t{64} << 10;
  MR_ASSIGN_OR_RETURN(const auto input, file_system.OpenForRead(file.path));
  std::string text(kStepBytes, '\0');
  for (uint64_t end = file.size_bytes; end > 0;) {
    const uint64_t begin = end - std::min(end, kStepBytes);
    MR_ASSIGN_OR_RETURN(const size_t count, input->ReadAt(begin, end - begin, text.data()));
    const size_t line_end = absl::string_view(text.data(), count).rfind('\n');
    if (line_end != absl::string_view::npos) {
      v1::Split split = FollowingSplit(options, file.path);
      split.mutable_file()->set_follow(false);
      split.mutable_file()->set_end_byte(begin + line_end + 1);
      return split;
    }
    end = begin;
  }
  return std::optional<v1::Split>();
}

}  // namespace millrace
