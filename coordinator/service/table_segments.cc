#include "coordinator/service/table_segments.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_system.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

std::string TableFolder(const std::string& data_dir, uint64_t object_id) {
  return JoinPath(JoinPath(data_dir, "tables"), absl::StrCat(object_id));
}

absl::Status RemoveTableFolder(const std::string& data_dir, uint64_t object_id) {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(data_dir));
  const std::string folder = TableFolder(data_dir, object_id);
  if (!file_system->Stat(folder).ok()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> files, file_system->List(folder));
  for (const FileInfo& file : files) MR_RETURN_IF_ERROR(file_system->Remove(file.path));
  return file_system->Remove(folder);
}

absl::StatusOr<TableSinkTarget> MakeTableTarget(const ClusterParts& parts, uint64_t object_id,
                                                const Schema& columns) {
  TableSinkTarget target;
  target.object_id = object_id;
  target.columns = columns;
  target.staging_path = TableFolder(parts.data_dir, object_id);
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(parts.data_dir));
  MR_RETURN_IF_ERROR(CheckOwnFolder(*file_system, "data-dir", parts.data_dir, parts.data_token));
  MR_RETURN_IF_ERROR(file_system->CreateFolders(target.staging_path));
  return target;
}

void RemoveFiles(const std::vector<v1::StagedFile>& files) {
  for (const v1::StagedFile& file : files) {
    auto file_system = FileSystemOf(file.final_path());
    if (file_system.ok()) (*file_system)->Remove(file.final_path()).IgnoreError();
  }
}

absl::StatusOr<std::vector<v1::TableSegment>> StagedSegments(const ClusterParts& parts,
                                                             const BoundedResult& result) {
  MR_FAILPOINT("table.before_version");
  const std::string prefix = JoinPath(parts.data_dir, "");
  std::vector<v1::TableSegment> segments;
  for (const v1::StagedFile& file : result.staged_files) {
    if (!absl::StartsWith(file.final_path(), prefix)) {
      return InternalError(absl::StrCat("segment lies outside of data.dir: ", file.final_path()));
    }
    v1::TableSegment segment;
    segment.set_path(file.final_path().substr(prefix.size()));
    segment.set_rows(file.rows());
    segment.set_size_bytes(file.size_bytes());
    segment.set_checksum_xxh3(file.checksum_xxh3());
    segments.push_back(std::move(segment));
  }
  return segments;
}

}  // namespace millrace
