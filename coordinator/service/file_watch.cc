#include "coordinator/service/file_watch.h"

#include <optional>

#include "common/base/status.h"
#include "coordinator/scheduler/followed_files.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

void FileWatch::Tick() {
  const std::vector<FollowedScan> scans = runs_.FollowedScans();
  std::set<std::pair<uint64_t, uint32_t>> present;
  for (const FollowedScan& scan : scans) {
    if (!FollowOptions(scan.node).has_value()) continue;
    present.emplace(scan.job_id, scan.scan_id);
    Look& look = looks_[{scan.job_id, scan.scan_id}];
    if (look.attempt != scan.attempt) look = Look{scan.attempt, 0, {}, {}};
    if (clock_.MonotonicMicros() < look.next_micros) continue;
    const absl::Status status = LookFor(scan, look);
    if (!status.ok()) runs_.Cancel(scan.job_id, scan.attempt, status);
  }
  std::erase_if(looks_, [&present](const auto& look) { return !present.contains(look.first); });
}

absl::Status FileWatch::LookFor(const FollowedScan& scan, Look& look) {
  const std::optional<FileOptions> options = FollowOptions(scan.node);
  if (!options.has_value()) return InternalError("a scan that follows no files is followed");
  look.next_micros = clock_.MonotonicMicros() + options->follow_interval_micros;
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> files, splits_.FollowedFiles(*options));
  std::vector<FileInfo> news;
  for (const FileInfo& file : files) {
    if (look.taken.contains(file.path)) continue;
    if (!MayGrow(*options, file.path)) {
      const std::pair<uint64_t, int64_t> now{file.size_bytes, file.mtime_micros};
      const auto [before, first_seen] = look.unsettled.try_emplace(file.path, now);
      if (first_seen || before->second != now) {
        before->second = now;
        continue;
      }
      look.unsettled.erase(before);
    }
    news.push_back(file);
  }
  if (news.empty()) return absl::OkStatus();
  std::set<std::string> known = runs_.KnownFiles(scan.job_id, scan.attempt, scan.scan_id);
  std::erase_if(news, [&](const FileInfo& file) {
    look.taken.insert(file.path);
    return known.contains(file.path);
  });
  MR_ASSIGN_OR_RETURN(std::vector<v1::Split> splits,
                      splits_.FollowedSplits(scan.node, *options, std::move(news)));
  runs_.AddSplits(scan.job_id, scan.attempt, scan.scan_id, std::move(splits));
  return absl::OkStatus();
}

}  // namespace millrace
