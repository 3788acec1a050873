#include "coordinator/service/file_commits.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "coordinator/job/sink_commit.h"
#include "coordinator/job/stale_files.h"
#include "millrace/v1/file_commit.pb.h"

namespace millrace {
namespace {

constexpr uint32_t kRecordFormat = 1;
constexpr char kPrefix[] = "file_commit/";

std::string KeyOf(uint64_t job_id) { return absl::StrCat(kPrefix, job_id); }

absl::StatusOr<v1::FileCommitRecord> Parse(const std::string& key, const std::string& bytes) {
  v1::FileCommitRecord record;
  if (!record.ParseFromString(bytes)) {
    return MakeError(SqlState::kDataCorrupted,
                     absl::StrCat("the record of a commit is damaged: ", key));
  }
  MR_RETURN_IF_ERROR(
      CheckRecordFormat("the record of a commit", record.format_version(), kRecordFormat));
  return record;
}

absl::StatusOr<FileSystem*> FileSystemFor(const v1::FileCommitRecord& record) {
  return FileSystemOf(record.files().empty() ? "" : record.files(0).final_path());
}

SinkCommit CommitOf(const v1::FileCommitRecord& record, const std::string& cluster) {
  return {{cluster, record.job_id()}, 0, {record.files().begin(), record.files().end()}};
}

absl::Status NameFiles(const v1::FileCommitRecord& record, const std::string& cluster,
                       CommitRound round) {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemFor(record));
  return CommitSinkFiles(*file_system, CommitOf(record, cluster), round);
}

absl::Status TakeBack(const v1::FileCommitRecord& record, const std::string& cluster) {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemFor(record));
  return WithdrawSinkFiles(*file_system, CommitOf(record, cluster));
}

}  // namespace

absl::Status FileCommits::Recover() {
  MR_ASSIGN_OR_RETURN(const std::vector<MetadataEntry> entries, store_.List(kPrefix));
  for (const MetadataEntry& entry : entries) {
    MR_ASSIGN_OR_RETURN(const v1::FileCommitRecord record, Parse(entry.key, entry.value));
    const absl::Status finished = Finish(record);
    if (!finished.ok()) LogError("job", "cannot finish an earlier commit of files", finished);
    MR_RETURN_IF_ERROR(store_.Transact({}, {{entry.key, std::nullopt}}).status());
  }
  return absl::OkStatus();
}

absl::Status FileCommits::Finish(const v1::FileCommitRecord& record) const {
  if (record.committing()) {
    MR_RETURN_IF_ERROR(NameFiles(record, cluster_, CommitRound::kRepeated));
  }
  return RemoveStaged(record);
}

absl::Status FileCommits::RemoveStaged(const v1::FileCommitRecord& record) const {
  absl::Status first_error;
  for (const std::string& folder : record.folders()) {
    MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(folder));
    first_error.Update(
        RemoveStaleStagedFiles(*file_system, folder, {cluster_, record.job_id()}, UINT32_MAX));
  }
  return first_error;
}

absl::Status FileCommits::Begin(uint64_t job_id, const v1::PhysicalPlan& plan) {
  v1::FileCommitRecord record;
  record.set_format_version(kRecordFormat);
  record.set_job_id(job_id);
  for (std::string& folder : StagingFolders(plan)) record.add_folders(std::move(folder));
  return store_.CompareAndSwap(KeyOf(job_id), 0, record.SerializeAsString()).status();
}

absl::Status FileCommits::Commit(uint64_t job_id, const std::vector<v1::StagedFile>& files,
                                 const std::vector<MetadataWrite>& also) {
  const std::string key = KeyOf(job_id);
  MR_ASSIGN_OR_RETURN(const std::optional<MetadataValue> stored, store_.Get(key));
  if (!stored.has_value()) return InternalError("a commit of files has lost its record");
  MR_ASSIGN_OR_RETURN(v1::FileCommitRecord record, Parse(key, stored->value));
  record.set_committing(true);
  for (const v1::StagedFile& file : files) *record.add_files() = file;
  std::vector<MetadataWrite> decision = also;
  decision.push_back({key, record.SerializeAsString()});
  MR_FAILPOINT("file_commit.before_decision");
  MR_RETURN_IF_ERROR(store_.Transact({{key, stored->revision}}, decision).status());
  MR_FAILPOINT("file_commit.after_decision");
  const absl::Status renamed = NameFiles(record, cluster_, CommitRound::kFirst);
  MR_FAILPOINT("file_commit.after_rename");
  std::vector<MetadataWrite> end = {{key, std::nullopt}};
  if (!renamed.ok()) {
    TakeBack(record, cluster_).IgnoreError();
    for (const MetadataWrite& write : also) end.push_back({write.key, std::nullopt});
  }
  // What cannot be recorded now is found to be done at the next start.
  const absl::Status ended = store_.Transact({}, end).status();
  if (!ended.ok()) LogError("job", "cannot record the end of a commit of files", ended);
  if (!renamed.ok()) RemoveStaged(record).IgnoreError();
  return renamed;
}

void FileCommits::Abandon(uint64_t job_id) {
  const std::string key = KeyOf(job_id);
  const auto abandon = [&]() -> absl::Status {
    MR_ASSIGN_OR_RETURN(const std::optional<MetadataValue> stored, store_.Get(key));
    if (!stored.has_value()) return absl::OkStatus();
    MR_ASSIGN_OR_RETURN(const v1::FileCommitRecord record, Parse(key, stored->value));
    if (record.committing()) return absl::OkStatus();  // It is finished, not taken back.
    MR_RETURN_IF_ERROR(RemoveStaged(record));
    return store_.Transact({{key, stored->revision}}, {{key, std::nullopt}}).status();
  };
  // The next start tries again.
  const absl::Status abandoned = abandon();
  if (!abandoned.ok()) LogError("job", "cannot remove staged files", abandoned);
}

}  // namespace millrace
