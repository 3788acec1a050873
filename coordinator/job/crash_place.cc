#include "coordinator/job/crash_place.h"

#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "coordinator/scheduler/placement.h"

namespace millrace {
namespace {

v1::ScanNode ScanOf(const v1::PhysicalPlan& plan, uint32_t scan_id) {
  v1::ScanNode scan;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (node.has_scan() && node.scan().scan_id() == scan_id) scan = node.scan();
    });
  }
  return scan;
}

// Empty for a file that has appeared since: it is one split.
v1::FileSplit FilePartOf(const std::vector<ScanSplits>& scans, const SplitKey& key) {
  for (const ScanSplits& scan : scans) {
    if (scan.scan_id != key.first) continue;
    for (const v1::Split& split : scan.splits) {
      if (split.id() == key.second) return split.file();
    }
  }
  return v1::FileSplit();
}

// Rows of the file before its part `file`; absent if some of them have not been read.
std::optional<uint64_t> RowsBefore(const v1::FileSplit& file, uint32_t scan_id,
                                   const std::vector<ScanSplits>& scans,
                                   const PositionMap& positions) {
  uint64_t rows = 0;
  for (const ScanSplits& scan : scans) {
    if (scan.scan_id != scan_id) continue;
    for (const v1::Split& split : scan.splits) {
      const v1::FileSplit& other = split.file();
      if (other.path() != file.path()) continue;
      if (other.begin_byte() >= file.begin_byte() &&
          other.first_row_group() >= file.first_row_group()) {
        continue;
      }
      const auto read = positions.find({scan_id, split.id()});
      if (read == positions.end() || !read->second.ended()) return std::nullopt;
      rows += read->second.rows();
    }
  }
  return rows;
}

}  // namespace

std::string RangeBehind(const PositionMap& positions) {
  constexpr size_t kNamedMax = 8;
  std::vector<std::string> places;
  for (const auto& [key, position] : positions) {
    if (position.ended() || places.size() == kNamedMax) continue;
    const std::string split =
        position.path().empty() ? absl::StrCat("split ", position.split_id()) : position.path();
    places.push_back(absl::StrCat(split, " from offset ", position.offset(), " (after row ",
                                  position.rows(), ")"));
  }
  return absl::StrCat("and read the same place of the input: ",
                      places.empty() ? "the beginning of its input" : absl::StrJoin(places, ", "));
}

std::string NextRow(const v1::PhysicalPlan& plan, const std::vector<ScanSplits>& scans,
                    const PositionMap::value_type& at, const PositionMap& positions) {
  const auto& [key, position] = at;
  const v1::ScanNode scan = ScanOf(plan, key.first);
  if (scan.connector() == "kafka") {
    return absl::StrCat("and read the message at offset ", position.offset(), " of partition ",
                        position.path());
  }
  if (position.path().empty()) {
    return absl::StrCat("and read row ", position.rows() + 1, " of split ", key.second,
                        " of table ", scan.table_name());
  }
  const v1::FileSplit file = FilePartOf(scans, key);
  const std::optional<uint64_t> before = RowsBefore(file, key.first, scans, positions);
  std::string place =
      absl::StrCat("and read row ", before.value_or(0) + position.rows() + 1,
                   before.has_value() ? "" : " of this part", " of file \"", position.path(), "\"");
  if (file.format() == "parquet") {
    if (!before.has_value()) {
      absl::StrAppend(&place, ", which begins with row group ", file.first_row_group());
    }
    return place;
  }
  return absl::StrCat(place, ", which begins at byte ", position.offset());
}

absl::Status CrashError(const std::set<TaskKey>& tasks, int num_crashes, absl::string_view place) {
  std::vector<std::string> names;
  for (const TaskKey& task : tasks) {
    names.push_back(absl::StrCat(task.fragment, ".", task.task_index));
  }
  return MakeError(
      SqlState::kInternalError,
      absl::StrCat("worker processes have ended ", num_crashes,
                   " times in a row while they ran task ", absl::StrJoin(names, ", "), " ", place),
      "a row there, or what is read ahead right behind it, probably ends the process: "
      "see the workers' logs; take it out, then restart the job");
}

}  // namespace millrace
