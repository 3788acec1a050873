#include "coordinator/service/checkpoint_details.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "common/storage/file_system.h"
#include "coordinator/scheduler/placement.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

absl::StatusOr<v1::CheckpointSummary> FindCheckpoint(const v1::JobRecord& job, uint64_t epoch) {
  std::string kept;
  for (const v1::CheckpointSummary& checkpoint : job.checkpoints()) {
    if (checkpoint.epoch() == (epoch == 0 ? job.durable_epoch() : epoch)) return checkpoint;
    absl::StrAppend(&kept, kept.empty() ? "" : ", ", checkpoint.epoch());
  }
  if (kept.empty()) {
    return MakeError(SqlState::kUndefinedObject,
                     absl::StrCat("job ", job.name(), " has no checkpoint yet"));
  }
  return MakeError(SqlState::kUndefinedObject,
                   absl::StrCat("job ", job.name(), " has no checkpoint of epoch ", epoch),
                   absl::StrCat("these are kept: ", kept));
}

// What is wrong with a file; empty = nothing.
std::string DamageOf(const std::string& path, const v1::CheckpointFile& file) {
  const absl::StatusOr<FileSystem*> file_system = FileSystemOf(path);
  if (!file_system.ok()) return std::string(file_system.status().message());
  const absl::StatusOr<FileInfo> info = (*file_system)->Stat(path);
  if (!info.ok()) return std::string(info.status().message());
  if (info->size_bytes != file.size_bytes()) {
    return absl::StrCat("has ", info->size_bytes, " bytes instead of ", file.size_bytes());
  }
  const absl::StatusOr<uint64_t> checksum = ChecksumOfFile(**file_system, path);
  if (!checksum.ok()) return std::string(checksum.status().message());
  return *checksum == file.checksum_xxh3() ? "" : "its checksum differs: the content has changed";
}

std::map<uint32_t, std::string> TablesOfScans(const v1::PhysicalPlan* plan) {
  std::map<uint32_t, std::string> tables;
  if (plan == nullptr) return tables;
  for (const v1::Fragment& fragment : plan->fragments()) {
    ForEachNode(fragment.root(), [&tables](const v1::PlanNode& node) {
      if (node.has_scan()) tables[node.scan().scan_id()] = node.scan().table_name();
    });
  }
  return tables;
}

// The least over the tasks that write or keep the result, as far as they are known.
std::optional<int64_t> WatermarkOf(const v1::CheckpointManifest& manifest,
                                   const v1::PhysicalPlan* plan) {
  std::optional<int64_t> least;
  for (const v1::TaskWatermark& watermark : manifest.watermarks()) {
    const auto fragment = static_cast<int>(watermark.fragment());
    const bool inner = plan != nullptr && fragment < plan->fragments_size() &&
                       !plan->fragments(fragment).outputs().empty();
    if (inner) continue;
    least = std::min(least.value_or(INT64_MAX), watermark.watermark_micros());
  }
  return least;
}

void AddPositions(const v1::CheckpointManifest& manifest, const v1::PhysicalPlan* plan,
                  v1::InspectCheckpointResponse* response) {
  const std::map<uint32_t, std::string> tables = TablesOfScans(plan);
  for (const v1::ScanPositions& scan : manifest.scans()) {
    const auto table = tables.find(scan.scan_id());
    for (const v1::SplitPosition& position : scan.positions()) {
      v1::CheckpointPosition* out = response->add_positions();
      out->set_table(table != tables.end() ? table->second : absl::StrCat("scan ", scan.scan_id()));
      out->set_split(position.path().empty() ? absl::StrCat("split ", position.split_id())
                                             : position.path());
      out->set_offset(position.offset());
      out->set_rows(position.rows());
      out->set_ended(position.ended());
    }
  }
}

}  // namespace

absl::Status DescribeCheckpoint(const v1::JobRecord& job, const v1::PhysicalPlan* plan,
                                const CheckpointFiles& checkpoints,
                                const v1::InspectCheckpointRequest& request,
                                v1::InspectCheckpointResponse* response) {
  MR_ASSIGN_OR_RETURN(const v1::CheckpointSummary summary, FindCheckpoint(job, request.epoch()));
  MR_ASSIGN_OR_RETURN(const v1::CheckpointManifest manifest,
                      checkpoints.ReadManifest(summary.manifest()));
  *response->mutable_checkpoint()->mutable_checkpoint() = summary;
  const std::string folder = checkpoints.JobFolder(job.id());
  std::set<std::string> seen;
  for (const v1::CheckpointFile& file : manifest.files()) {
    if (!seen.insert(file.path()).second) continue;
    v1::CheckpointFileStatus* out = response->add_files();
    out->set_path(file.path());
    out->set_size_bytes(file.size_bytes());
    out->set_checksum_xxh3(file.checksum_xxh3());
    if (request.verify()) out->set_damage(DamageOf(JoinPath(folder, file.path()), file));
  }
  AddPositions(manifest, plan, response);
  for (const v1::StagedFile& file : manifest.pending_files()) {
    response->add_pending_files(file.final_path());
  }
  if (const std::optional<int64_t> watermark = WatermarkOf(manifest, plan)) {
    response->set_has_watermark(true);
    response->set_watermark_micros(*watermark);
  }
  response->set_plan_hash(absl::BytesToHexString(manifest.plan_hash()));
  return absl::OkStatus();
}

}  // namespace millrace
