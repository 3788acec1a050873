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

// A note that is not decided and has files is one whose statement has failed: they are taken back.
absl::Status SettleFiles(const v1::FileCommitRecord& record, const std::string& cluster,
                         CommitRound round) {
  if (record.files().empty()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(record.files(0).final_path()));
  const SinkCommit commit{
      {cluster, record.job_id()}, 0, {record.files().begin(), record.files().end()}};
  return record.committing() ? CommitSinkFiles(*file_system, commit, round)
                             : WithdrawSinkFiles(*file_system, commit);
}

}  // namespace

absl::Status FileCommits::Recover() {
  MR_ASSIGN_OR_RETURN(const std::vector<MetadataEntry> entries, store_.List(kPrefix));
  std::vector<uint64_t> jobs;
  for (const MetadataEntry& entry : entries) {
    MR_ASSIGN_OR_RETURN(const v1::FileCommitRecord record, Parse(entry.key, entry.value));
    jobs.push_back(record.job_id());
  }
  for (const uint64_t job_id : jobs) TryToSettle(job_id);
  return absl::OkStatus();
}

void FileCommits::Tick() {
  std::vector<uint64_t> jobs;
  {
    MutexLock lock(mutex_);
    for (const auto& [job_id, error] : unsettled_) jobs.push_back(job_id);
  }
  if (jobs.empty()) return;
  MutexLock one_at_a_time(settling_);
  for (const uint64_t job_id : jobs) TryToSettle(job_id);
}

void FileCommits::TryToSettle(uint64_t job_id) {
  const absl::Status settled = Settle(job_id);
  MutexLock lock(mutex_);
  if (settled.ok()) {
    if (unsettled_.erase(job_id) == 0) return;
    Log(LogLevel::kInfo, "job", "a commit of files was finished late", {{"job", job_id}});
    return;
  }
  std::string& error = unsettled_[job_id];
  if (error == settled.message()) return;
  error = std::string(settled.message());
  LogError("job", absl::StrCat("the commit of files of job ", job_id, " is tried again"), settled);
}

absl::Status FileCommits::Settle(uint64_t job_id) const {
  const std::string key = KeyOf(job_id);
  MR_ASSIGN_OR_RETURN(const std::optional<MetadataValue> stored, store_.Get(key));
  if (!stored.has_value()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(const v1::FileCommitRecord record, Parse(key, stored->value));
  MR_RETURN_IF_ERROR(SettleFiles(record, cluster_, CommitRound::kRepeated));
  MR_RETURN_IF_ERROR(RemoveStaged(record));
  return store_.Transact({{key, stored->revision}}, {{key, std::nullopt}}).status();
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
  // Earlier statements may have to replace the same file.
  Tick();
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
  const absl::Status renamed = SettleFiles(record, cluster_, CommitRound::kFirst);
  MR_FAILPOINT("file_commit.after_rename");
  if (renamed.ok()) {
    const absl::Status ended = store_.Transact({}, {{key, std::nullopt}}).status();
    if (!ended.ok()) SettleLater(job_id, ended);
    return absl::OkStatus();
  }
  // First the decision goes, then what was done of it: a crash in between leaves neither half.
  record.set_committing(false);
  std::vector<MetadataWrite> revocation = {{key, record.SerializeAsString()}};
  for (const MetadataWrite& write : also) revocation.push_back({write.key, std::nullopt});
  const absl::Status revoked = store_.Transact({}, revocation).status();
  if (!revoked.ok()) {
    SettleLater(job_id, renamed);
    LogError("job", "cannot revoke a commit of files, so it stands", revoked);
    return absl::OkStatus();
  }
  TryToSettle(job_id);
  return renamed;
}

void FileCommits::SettleLater(uint64_t job_id, const absl::Status& error) {
  LogError("job", absl::StrCat("the commit of files of job ", job_id, " is not finished yet"),
           error);
  MutexLock lock(mutex_);
  unsettled_[job_id] = std::string(error.message());
}

void FileCommits::Abandon(uint64_t job_id) {
  const std::string key = KeyOf(job_id);
  const auto abandon = [&]() -> absl::Status {
    MR_ASSIGN_OR_RETURN(const std::optional<MetadataValue> stored, store_.Get(key));
    if (!stored.has_value()) return absl::OkStatus();
    MR_ASSIGN_OR_RETURN(const v1::FileCommitRecord record, Parse(key, stored->value));
    // Once it was to be committed, Commit and Tick do what is left.
    if (!record.files().empty()) return absl::OkStatus();
    MR_RETURN_IF_ERROR(RemoveStaged(record));
    return store_.Transact({{key, stored->revision}}, {{key, std::nullopt}}).status();
  };
  // The next start tries again.
  const absl::Status abandoned = abandon();
  if (!abandoned.ok()) LogError("job", "cannot remove staged files", abandoned);
}

}  // namespace millrace
