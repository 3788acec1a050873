#include "coordinator/job/job_files.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_system.h"
#include "common/storage/record_file.h"
#include "coordinator/job/stream_spec.h"
#include "coordinator/metadata/metadata_store.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

constexpr uint32_t kFileFormat = 2;
constexpr char kFolder[] = "jobs";
constexpr char kPrefix[] = "job-";
constexpr char kSuffix[] = ".pb";

}  // namespace

JobFiles::JobFiles(std::string data_dir, std::string token)
    : data_dir_(std::move(data_dir)), token_(std::move(token)) {}

absl::StatusOr<FileSystem*> JobFiles::OwnFolder() const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(data_dir_));
  MR_RETURN_IF_ERROR(CheckOwnFolder(*file_system, "data-dir", data_dir_, token_));
  return file_system;
}

std::string JobFiles::PathOf(uint64_t job_id) const {
  return JoinPath(JoinPath(data_dir_, kFolder), absl::StrCat(kPrefix, job_id, kSuffix));
}

absl::Status JobFiles::Write(uint64_t job_id, const v1::StreamJobFile& file) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, OwnFolder());
  MR_RETURN_IF_ERROR(file_system->CreateFolders(JoinPath(data_dir_, kFolder)));
  v1::StreamJobFile versioned = file;
  versioned.set_job_id(job_id);
  versioned.set_format_version(kFileFormat);
  return WriteRecordFile(*file_system, PathOf(job_id), versioned.SerializeAsString());
}

absl::StatusOr<v1::StreamJobFile> JobFiles::Read(uint64_t job_id) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, OwnFolder());
  const std::string path = PathOf(job_id);
  MR_ASSIGN_OR_RETURN(const std::string record, ReadRecordFile(*file_system, path, "job file"));
  v1::StreamJobFile file;
  if (!file.ParseFromString(record)) {
    return MakeError(SqlState::kDataCorrupted, absl::StrCat("job file is damaged: ", path));
  }
  MR_RETURN_IF_ERROR(
      CheckRecordFormat(absl::StrCat("job file ", path), file.format_version(), kFileFormat));
  // Those of earlier versions do not say.
  if (file.job_id() != 0 && file.job_id() != job_id) {
    return MakeError(SqlState::kDataCorrupted, absl::StrCat("job file is damaged: ", path),
                     absl::StrCat("it is that of job ", file.job_id()));
  }
  return file;
}

absl::Status JobFiles::Remove(uint64_t job_id) const {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, OwnFolder());
  return file_system->Remove(PathOf(job_id));
}

absl::StatusOr<std::vector<uint64_t>> JobFiles::Jobs() const {
  std::vector<uint64_t> jobs;
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(data_dir_));
  const std::string folder = JoinPath(data_dir_, kFolder);
  if (!file_system->Stat(folder).ok()) return jobs;
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> entries, file_system->List(folder));
  for (const FileInfo& entry : entries) {
    const std::string name = FileNameOf(entry.path);
    absl::string_view number = name;
    uint64_t id = 0;
    if (!absl::ConsumePrefix(&number, kPrefix) || !absl::ConsumeSuffix(&number, kSuffix)) continue;
    if (absl::SimpleAtoi(number, &id) && entry.path == PathOf(id)) jobs.push_back(id);
  }
  return jobs;
}

v1::StreamJobFile FileOf(const StreamSpec& spec) {
  v1::StreamJobFile file;
  *file.mutable_plan() = *spec.planned;
  file.set_parallelism(spec.parallelism);
  ToProto(spec.scans, &file);
  file.mutable_settings()->insert(spec.settings.begin(), spec.settings.end());
  return file;
}

void ToProto(const std::vector<ScanSplits>& scans, v1::StreamJobFile* out) {
  for (const ScanSplits& scan : scans) {
    v1::ScanSplitList* list = out->add_scans();
    list->set_scan_id(scan.scan_id);
    list->set_fragment(scan.fragment);
    list->set_event_time(scan.order == SplitOrder::kEventTime);
    for (const v1::Split& split : scan.splits) *list->add_splits() = split;
  }
}

std::vector<ScanSplits> ScansOf(const v1::StreamJobFile& file) {
  std::vector<ScanSplits> scans;
  for (const v1::ScanSplitList& list : file.scans()) {
    ScanSplits scan;
    scan.scan_id = list.scan_id();
    scan.fragment = list.fragment();
    scan.order = list.event_time() ? SplitOrder::kEventTime : SplitOrder::kAny;
    scan.splits.assign(list.splits().begin(), list.splits().end());
    // A topic has at least one partition.
    if (!scan.splits.empty() && scan.splits[0].has_kafka()) scan.order = SplitOrder::kPartitions;
    scans.push_back(std::move(scan));
  }
  return scans;
}

}  // namespace millrace
