#include "coordinator/scheduler/split_enumerator.h"

#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/connector_spec/datagen_options.h"
#include "common/connector_spec/file_options.h"
#include "common/file_format/split_enumeration.h"
#include "common/storage/file_listing.h"
#include "coordinator/scheduler/followed_files.h"
#include "coordinator/scheduler/partition_splits.h"
#include "coordinator/scheduler/placement.h"
#include "coordinator/scheduler/split_times.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

SplitMode ModeOf(SplitOrder order) {
  return order == SplitOrder::kEventTime ? SplitMode::kWholeFiles : SplitMode::kRanges;
}

absl::StatusOr<std::vector<v1::Split>> DatagenSplits(const v1::ScanNode& scan, SplitOrder order,
                                                     bool streaming) {
  Schema columns;
  for (const v1::Field& field : scan.columns()) columns.push_back(FromProto(field));
  MR_ASSIGN_OR_RETURN(DatagenOptions options,
                      ParseDatagenOptions(ToOptionMap(scan.options()), columns));
  if (!streaming && !options.rows.has_value()) {
    return MakeError(SqlState::kFeatureNotSupported,
                     absl::StrCat("table ", scan.table_name(), " never ends"),
                     "give it the option rows, or read it in a materialized view");
  }
  return MakeDatagenSplits(options, ModeOf(order));
}

std::vector<v1::Split> ViewSplits(const v1::ScanNode& scan, const ReadSet& read_set) {
  std::vector<v1::Split> splits;
  for (const ViewPartAtEpoch& part : read_set.view_parts) {
    if (part.object_id != scan.object_id() || part.as_of_epoch != AsOfEpoch(scan)) continue;
    v1::Split split;
    split.set_id(splits.size());
    split.set_worker_id(part.worker_id);
    v1::ViewSplit* view = split.mutable_view();
    view->set_object_id(part.object_id);
    view->set_job_id(part.job_id);
    view->set_attempt(part.attempt);
    view->set_task_index(part.task_index);
    view->set_epoch(part.epoch);
    splits.push_back(std::move(split));
  }
  return splits;
}

std::vector<v1::Split> ViewChangesSplits(const v1::ScanNode& scan, const ReadSet& read_set) {
  std::vector<v1::Split> splits;
  for (const ViewPartAtEpoch& part : read_set.view_parts) {
    if (part.object_id != scan.object_id()) continue;
    v1::Split split;
    split.set_id(splits.size());
    split.set_worker_id(part.worker_id);
    v1::ViewChangesSplit* changes = split.mutable_view_changes();
    changes->set_object_id(part.object_id);
    changes->set_job_id(part.job_id);
    changes->set_attempt(part.attempt);
    changes->set_task_index(part.task_index);
    changes->set_after_epoch(part.changes_after);
    changes->set_through_epoch(part.epoch);
    splits.push_back(std::move(split));
  }
  return splits;
}

absl::Status CheckSinks(const v1::PhysicalPlan& plan, const AddressPolicy& addresses) {
  absl::Status status;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (!node.has_file_sink() || !status.ok()) return;
      const auto connector = node.file_sink().options().find("connector");
      if (connector == node.file_sink().options().end() || connector->second != "kafka") return;
      status = CheckSinkTopic(node.file_sink(), addresses);
    });
  }
  return status;
}

}  // namespace

uint64_t AsOfEpoch(const v1::ScanNode& scan) {
  // The planner's name for it among the scan's options.
  auto it = scan.options().find("as_of_epoch");
  uint64_t epoch = 0;
  if (it == scan.options().end() || !absl::SimpleAtoi(it->second, &epoch)) return 0;
  return epoch;
}

SplitEnumerator::SplitEnumerator(PathPolicy path_policy, std::string data_dir,
                                 AddressPolicy addresses)
    : path_policy_(std::move(path_policy)),
      data_dir_(std::move(data_dir)),
      addresses_(std::move(addresses)) {}

absl::StatusOr<std::vector<ScanSplits>> SplitEnumerator::Enumerate(const v1::PhysicalPlan& plan,
                                                                   const ReadSet& read_set) const {
  // A stream waits for the brokers that it writes to, as it does when they go away later.
  if (!plan.streaming()) MR_RETURN_IF_ERROR(CheckSinks(plan, addresses_));
  std::vector<ScanSplits> all;
  absl::Status status;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (!node.has_scan() || !status.ok()) return;
      auto splits = EnumerateScan(node.scan(), read_set, plan.streaming());
      if (!splits.ok()) {
        status = splits.status();
        return;
      }
      splits->fragment = fragment.id();
      all.push_back(*std::move(splits));
    });
  }
  MR_RETURN_IF_ERROR(status);
  return all;
}

absl::StatusOr<ScanSplits> SplitEnumerator::EnumerateScan(const v1::ScanNode& scan,
                                                          const ReadSet& read_set,
                                                          bool streaming) const {
  ScanSplits result;
  result.scan_id = scan.scan_id();
  if (streaming && scan.has_watermark()) result.order = SplitOrder::kEventTime;
  if (const std::optional<FileOptions> followed = FollowOptions(scan)) {
    result.follows = streaming;
    if (streaming) {
      MR_ASSIGN_OR_RETURN(std::vector<FileInfo> files, FollowedFiles(*followed));
      MR_ASSIGN_OR_RETURN(result.splits, FollowedSplits(scan, *followed, std::move(files)));
    } else {
      MR_ASSIGN_OR_RETURN(result.splits, RowsSoFar(scan, *followed));
    }
  } else if (scan.connector() == "file") {
    MR_ASSIGN_OR_RETURN(result.splits, FileSplits(scan, result.order));
  } else if (scan.connector() == "kafka") {
    if (streaming) result.order = SplitOrder::kPartitions;
    MR_ASSIGN_OR_RETURN(result.splits, PartitionSplits(scan, addresses_, streaming));
    result.follows = streaming && FollowsPartitions(scan);
  } else if (scan.connector() == "datagen") {
    MR_ASSIGN_OR_RETURN(result.splits, DatagenSplits(scan, result.order, streaming));
  } else if (scan.connector() == "table") {
    // A stream follows the table's log instead.
    if (!streaming) {
      MR_ASSIGN_OR_RETURN(result.splits, TableSplits(scan, read_set));
    }
  } else if (scan.connector() == "view") {
    result.splits = ViewSplits(scan, read_set);
  } else if (scan.connector() == "view_changes") {
    result.splits = ViewChangesSplits(scan, read_set);
  } else {
    return NotSupported(absl::StrCat("reading from connector ", scan.connector()));
  }
  return result;
}

absl::StatusOr<std::vector<v1::Split>> SplitEnumerator::FileSplits(const v1::ScanNode& scan,
                                                                   SplitOrder order) const {
  MR_ASSIGN_OR_RETURN(FileOptions options, ParseFileOptions(ToOptionMap(scan.options())));
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(options.path));
  MR_ASSIGN_OR_RETURN(std::vector<FileInfo> files, ListFiles(*file_system, options.path));
  // An empty folder is an empty table; a pattern without a match is rather a slip of the pen.
  if (files.empty() && options.path.find_first_of("*?[") != std::string::npos) {
    return MakeError(SqlState::kUndefinedFile,
                     absl::StrCat("no file matches \"", options.path, "\""),
                     "is the pattern right? A stream waits for files with follow = true");
  }
  for (const FileInfo& file : files) MR_RETURN_IF_ERROR(path_policy_.CheckFile(file.path));
  MR_ASSIGN_OR_RETURN(std::vector<v1::Split> splits,
                      EnumerateFileSplits(*file_system, std::move(files), options, ModeOf(order)));
  if (order == SplitOrder::kEventTime) SetMinTimes(*file_system, scan, &splits);
  return splits;
}

absl::StatusOr<std::vector<FileInfo>> SplitEnumerator::FollowedFiles(
    const FileOptions& options) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(options.path));
  absl::StatusOr<std::vector<FileInfo>> files = ListFiles(*file_system, options.path);
  if (GetErrorDetail(files.status()).state == SqlState::kUndefinedFile && !files.ok()) {
    return std::vector<FileInfo>();
  }
  MR_RETURN_IF_ERROR(files.status());
  for (const FileInfo& file : *files) MR_RETURN_IF_ERROR(path_policy_.CheckFile(file.path));
  return files;
}

absl::StatusOr<std::vector<v1::Split>> SplitEnumerator::FollowedSplits(
    const v1::ScanNode& scan, const FileOptions& options, std::vector<FileInfo> files) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(options.path));
  std::vector<FileInfo> finished;
  std::vector<v1::Split> splits;
  for (FileInfo& file : files) {
    if (MayGrow(options, file.path)) {
      splits.push_back(FollowingSplit(options, file.path));
    } else {
      finished.push_back(std::move(file));
    }
  }
  MR_ASSIGN_OR_RETURN(
      std::vector<v1::Split> whole,
      EnumerateFileSplits(*file_system, std::move(finished), options, SplitMode::kWholeFiles));
  SetMinTimes(*file_system, scan, &whole);
  std::move(whole.begin(), whole.end(), std::back_inserter(splits));
  for (size_t i = 0; i < splits.size(); ++i) splits[i].set_id(i);
  return splits;
}

absl::StatusOr<std::vector<v1::Split>> SplitEnumerator::RowsSoFar(
    const v1::ScanNode& scan, const FileOptions& options) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(options.path));
  MR_ASSIGN_OR_RETURN(std::vector<FileInfo> files, FollowedFiles(options));
  std::vector<v1::Split> splits;
  std::vector<FileInfo> finished;
  for (FileInfo& file : files) {
    if (!MayGrow(options, file.path)) {
      finished.push_back(std::move(file));
      continue;
    }
    MR_ASSIGN_OR_RETURN(std::optional<v1::Split> lines, CompleteLines(*file_system, options, file));
    if (lines.has_value()) splits.push_back(*std::move(lines));
  }
  MR_ASSIGN_OR_RETURN(std::vector<v1::Split> whole,
                      FollowedSplits(scan, options, std::move(finished)));
  std::move(whole.begin(), whole.end(), std::back_inserter(splits));
  for (size_t i = 0; i < splits.size(); ++i) splits[i].set_id(i);
  return splits;
}

absl::StatusOr<std::vector<v1::Split>> SplitEnumerator::TableSplits(const v1::ScanNode& scan,
                                                                    const ReadSet& read_set) const {
  MR_CHECK(read_set.catalog != nullptr);
  const CatalogObjectPtr table = read_set.catalog->FindById(scan.object_id());
  if (table == nullptr) {
    return MakeError(SqlState::kUndefinedTable,
                     absl::StrCat("relation \"", scan.table_name(), "\" does not exist"));
  }
  return MakeTableSplits(data_dir_, table->table_version());
}

}  // namespace millrace
