#include "coordinator/service/recovery.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/storage/file_system.h"
#include "coordinator/job/stale_files.h"
#include "coordinator/service/table_segments.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

// Files of a table that its newest version does not hold: staged or renamed by a statement that did
// not come to its end.
absl::Status RemoveOrphans(const ClusterParts& parts, const v1::CatalogObject& table) {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(parts.data_dir));
  const std::string folder = TableFolder(parts.data_dir, table.id());
  if (!file_system->Stat(folder).ok()) return absl::OkStatus();
  std::set<std::string> held;
  for (const v1::TableSegment& segment : table.table_version().segments()) {
    held.insert(JoinPath(parts.data_dir, segment.path()));
  }
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> files, file_system->List(folder));
  for (const FileInfo& file : files) {
    if (file.is_folder || held.contains(file.path)) continue;
    MR_RETURN_IF_ERROR(file_system->Remove(file.path));
  }
  return absl::OkStatus();
}

// Folders of tables that are gone: the process ended before a last reader had.
absl::Status RemoveOrphanedFolders(const ClusterParts& parts) {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(parts.data_dir));
  const std::string tables = FolderOf(TableFolder(parts.data_dir, 0));
  if (!file_system->Stat(tables).ok()) return absl::OkStatus();
  const auto catalog = parts.catalog.Snapshot();
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> folders, file_system->List(tables));
  for (const FileInfo& folder : folders) {
    uint64_t id = 0;
    if (!folder.is_folder || !absl::SimpleAtoi(FileNameOf(folder.path), &id)) continue;
    if (catalog->FindById(id) == nullptr) MR_RETURN_IF_ERROR(RemoveTableFolder(parts.data_dir, id));
  }
  return absl::OkStatus();
}

// A finished job is taken up too, because its views are still read; one whose view is gone is not.
// One that has failed keeps what it needs to be restarted.
bool IsTakenUp(const v1::JobRecord& record, const CatalogSnapshot& catalog) {
  if (IsLive(record) || record.state() == v1::JOB_STATE_FAILED) return true;
  // It may be restarted, whether it keeps a view or writes to files.
  if (record.state() == v1::JOB_STATE_STOPPED) return true;
  if (record.state() != v1::JOB_STATE_FINISHED) return false;
  for (uint64_t id : record.object_ids()) {
    const CatalogObjectPtr object = catalog.FindById(id);
    if (object != nullptr && object->job_id() == record.id()) return true;
  }
  return false;
}

// The job is seen as failed, with its cause, instead of as running without anybody who runs it.
absl::Status RecordFailure(ClusterParts& parts, const v1::JobRecord& record,
                           const absl::Status& cause) {
  LogError("job", absl::StrCat("cannot take up streaming job ", record.name()), cause);
  if (!IsLive(record)) return absl::OkStatus();
  return parts.job_store.Update(record.id(), [&](v1::JobRecord& changed) {
    changed.set_state(v1::JOB_STATE_FAILED);
    changed.set_error_message(absl::StrCat("cannot take up the job: ", cause.message()));
    changed.set_error_sqlstate(std::string(SqlStateCode(GetErrorDetail(cause).state)));
    changed.set_ended_at_micros(parts.clock.WallMicros());
  });
}

}  // namespace

absl::Status RepairCatalog(ClusterParts& parts) {
  for (const CatalogObjectPtr& object : parts.catalog.Unfinished()) {
    Log(LogLevel::kInfo, "catalog", "removing an unfinished object", {{"name", object->name()}});
    if (object->kind() == v1::OBJECT_KIND_MATERIALIZED_VIEW) {
      MR_RETURN_IF_ERROR(parts.job_store.Remove(object->job_id()));
    }
    if (object->kind() == v1::OBJECT_KIND_TABLE) {
      MR_RETURN_IF_ERROR(RemoveTableFolder(parts.data_dir, object->id()));
    }
    MR_RETURN_IF_ERROR(parts.catalog.Remove({object->id()}));
  }
  for (const CatalogObjectPtr& table : parts.catalog.Snapshot()->List(v1::OBJECT_KIND_TABLE)) {
    MR_RETURN_IF_ERROR(RemoveOrphans(parts, *table));
  }
  return RemoveOrphanedFolders(parts);
}

void RemoveOrphanedJobFiles(const ClusterParts& parts, const CheckpointFiles& checkpoints,
                            const JobFiles& files) {
  const auto remove = [&jobs = parts.job_store](
                          const absl::StatusOr<std::vector<uint64_t>>& ids,
                          const std::function<absl::Status(uint64_t)>& remove_one) {
    absl::Status status = ids.status();
    if (ids.ok()) {
      for (const uint64_t id : *ids) {
        if (!jobs.Get(id).has_value()) status.Update(remove_one(id));
      }
    }
    if (!status.ok()) LogError("job", "cannot remove what dropped jobs have left", status);
  };
  remove(checkpoints.Jobs(), [&](uint64_t id) { return checkpoints.RemoveAll(id); });
  remove(files.Jobs(), [&](uint64_t id) -> absl::Status {
    const absl::StatusOr<v1::StreamJobFile> file = files.Read(id);
    // A damaged one does not say where the job's sinks have staged.
    if (file.ok()) {
      MR_RETURN_IF_ERROR(
          RemoveStaleFiles(file->plan(), {parts.registry.file_cluster(), id}, UINT32_MAX));
    }
    return files.Remove(id);
  });
}

absl::Status RecoverJobs(ClusterParts& parts, const JobFiles& files, ScriptJobs& scripts) {
  const auto catalog = parts.catalog.Snapshot();
  MR_ASSIGN_OR_RETURN(const std::vector<uint64_t> jobs, files.Jobs());
  const std::set<uint64_t> with_file(jobs.begin(), jobs.end());
  for (const v1::JobRecord& record : parts.job_store.List()) {
    if (!record.streaming()) continue;
    if (record.state() == v1::JOB_STATE_CANCELLED && with_file.contains(record.id())) {
      parts.streams.CleanUpCancelled(record.id());
    }
    if (!IsTakenUp(record, *catalog)) continue;
    const absl::Status taken_up = parts.streams.Recover(record, parts.stream_defaults);
    // One damaged job does not keep the others from running.
    if (!taken_up.ok()) MR_RETURN_IF_ERROR(RecordFailure(parts, record, taken_up));
  }
  const std::vector<v1::JobRecord> records = parts.job_store.List();
  std::set<uint64_t> with_live_streams;
  for (const v1::JobRecord& record : records) {
    if (record.streaming() && IsLive(record)) with_live_streams.insert(record.parent_job_id());
  }
  for (const v1::JobRecord& record : records) {
    if (record.streaming()) continue;
    // Also one that has ended, if its stream was restarted and the process was gone before that was
    // known of the script.
    if (!IsLive(record) && !with_live_streams.contains(record.id())) continue;
    MR_RETURN_IF_ERROR(scripts.Recover(record));
  }
  return absl::OkStatus();
}

}  // namespace millrace
