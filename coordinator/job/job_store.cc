#include "coordinator/job/job_store.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

constexpr uint32_t kRecordFormat = 1;
constexpr char kJobPrefix[] = "jobs/";

std::string KeyOf(uint64_t job_id) { return absl::StrCat(kJobPrefix, job_id); }

absl::Status NoSuchJob(const std::string& name) {
  return MakeError(SqlState::kUndefinedObject, absl::StrCat("job \"", name, "\" does not exist"));
}

absl::Status UsedBefore(const std::string& request_id) {
  return MakeError(
      SqlState::kInvalidParameterValue,
      absl::StrCat("request id ", request_id, " was used before with another request"),
      "text, name, settings and folder of a request stay the same when it is repeated");
}

// A record has other settings than its request as soon as its script has changed one, and a name
// also if none was asked for: so what was asked is compared by its checksum. Records of earlier
// versions have none.
bool IsSameRequest(const v1::JobRecord& record, const v1::JobRecord& request) {
  const bool comparable = record.request_xxh3() != 0 && request.request_xxh3() != 0;
  return record.sql() == request.sql() &&
         (!comparable || record.request_xxh3() == request.request_xxh3());
}

}  // namespace

absl::StatusOr<bool> WasRestartedBy(const v1::JobRecord& record, const std::string& request_id,
                                    uint64_t checkpoint_epoch) {
  if (request_id.empty() || record.restart_request_id() != request_id) return false;
  if (checkpoint_epoch != 0 && checkpoint_epoch != record.restart_epoch()) {
    return UsedBefore(request_id);
  }
  return true;
}

bool IsLive(const v1::JobRecord& record) {
  return record.state() == v1::JOB_STATE_CREATED || record.state() == v1::JOB_STATE_RUNNING;
}

void AddRestart(v1::JobRecord& record, uint32_t attempt, int64_t at_micros,
                const absl::Status& cause, uint64_t restored_epoch) {
  while (record.restarts_size() >= kRestartsKept) {
    record.mutable_restarts()->DeleteSubrange(0, 1);
  }
  v1::JobRestart& restart = *record.add_restarts();
  restart.set_attempt(attempt);
  restart.set_at_micros(at_micros);
  ToProto(cause, restart.mutable_cause());
  restart.set_restored_epoch(restored_epoch);
  record.set_num_restarts(record.num_restarts() + 1);
}

JobStore::JobStore(MetadataStore& store) : store_(store) {}

absl::Status JobStore::Load() {
  MR_ASSIGN_OR_RETURN(std::vector<MetadataEntry> records, store_.List(kJobPrefix));
  MutexLock lock(mutex_);
  for (const MetadataEntry& stored : records) {
    v1::JobRecord record;
    if (!record.ParseFromString(stored.value)) {
      return MakeError(SqlState::kDataCorrupted,
                       absl::StrCat("job record is damaged: ", stored.key));
    }
    MR_RETURN_IF_ERROR(CheckRecordFormat(absl::StrCat("record of job ", record.name()),
                                         record.format_version(), kRecordFormat));
    const uint64_t id = record.id();
    entries_[id] = Entry{std::move(record), stored.revision};
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::JobRecord> JobStore::Create(v1::JobRecord record,
                                               const std::vector<MetadataWrite>& also) {
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(std::optional<v1::JobRecord> earlier, FindRequestLocked(record));
  if (earlier.has_value()) return *std::move(earlier);
  MR_RETURN_IF_ERROR(CheckName(record));
  record.set_format_version(kRecordFormat);
  std::vector<MetadataWrite> writes = also;
  writes.push_back({KeyOf(record.id()), record.SerializeAsString()});
  MR_ASSIGN_OR_RETURN(const uint64_t revision, store_.Transact({{KeyOf(record.id()), 0}}, writes));
  entries_[record.id()] = Entry{record, revision};
  NoteChange();
  return record;
}

absl::StatusOr<std::optional<v1::JobRecord>> JobStore::FindRequest(
    const v1::JobRecord& request) const {
  MutexLock lock(mutex_);
  return FindRequestLocked(request);
}

absl::StatusOr<std::optional<v1::JobRecord>> JobStore::FindRequestLocked(
    const v1::JobRecord& request) const {
  if (request.request_id().empty()) return std::nullopt;
  for (const auto& [id, entry] : entries_) {
    if (entry.record.request_id() != request.request_id()) continue;
    if (IsSameRequest(entry.record, request)) return entry.record;
    return UsedBefore(request.request_id());
  }
  return std::nullopt;
}

absl::Status JobStore::CheckName(const v1::JobRecord& record) const {
  for (const auto& [id, entry] : entries_) {
    const v1::JobRecord& other = entry.record;
    if (id == record.id() || !IsLive(other) || other.name() != record.name()) continue;
    return MakeError(SqlState::kDuplicateObject,
                     absl::StrCat("job \"", record.name(), "\" already exists"),
                     "choose another name, or stop the running job first");
  }
  return absl::OkStatus();
}

absl::Status JobStore::Update(uint64_t job_id, const std::function<void(v1::JobRecord&)>& change) {
  MutexLock lock(mutex_);
  auto it = entries_.find(job_id);
  if (it == entries_.end()) return NoSuchJob(absl::StrCat(job_id));
  v1::JobRecord record = it->second.record;
  change(record);
  return Write(it->second, std::move(record));
}

absl::Status JobStore::UpdateIf(uint64_t job_id,
                                const std::function<absl::Status(v1::JobRecord&)>& change) {
  MutexLock lock(mutex_);
  auto it = entries_.find(job_id);
  if (it == entries_.end()) return NoSuchJob(absl::StrCat(job_id));
  v1::JobRecord record = it->second.record;
  MR_RETURN_IF_ERROR(change(record));
  if (IsLive(record) && !IsLive(it->second.record)) MR_RETURN_IF_ERROR(CheckName(record));
  return Write(it->second, std::move(record));
}

absl::Status JobStore::Write(Entry& entry, v1::JobRecord record) {
  MR_ASSIGN_OR_RETURN(
      const uint64_t revision,
      store_.CompareAndSwap(KeyOf(record.id()), entry.revision, record.SerializeAsString()));
  entry = Entry{std::move(record), revision};
  NoteChange();
  return absl::OkStatus();
}

void JobStore::NoteChange() {
  ++num_changes_;
  changed_.NotifyAll();
}

uint64_t JobStore::AwaitChange(uint64_t seen, std::chrono::microseconds at_most) const {
  MutexLock lock(mutex_);
  if (num_changes_ == seen) changed_.WaitFor(mutex_, at_most);
  return num_changes_;
}

absl::Status JobStore::Remove(uint64_t job_id, const std::vector<MetadataWrite>& also) {
  MutexLock lock(mutex_);
  auto it = entries_.find(job_id);
  if (it == entries_.end()) return absl::OkStatus();
  std::vector<MetadataWrite> writes = also;
  writes.push_back({KeyOf(job_id), std::nullopt});
  MR_RETURN_IF_ERROR(store_.Transact({{KeyOf(job_id), it->second.revision}}, writes).status());
  entries_.erase(it);
  NoteChange();
  return absl::OkStatus();
}

std::optional<v1::JobRecord> JobStore::Get(uint64_t job_id) const {
  MutexLock lock(mutex_);
  auto it = entries_.find(job_id);
  if (it == entries_.end()) return std::nullopt;
  return it->second.record;
}

absl::StatusOr<v1::JobRecord> JobStore::Find(const std::string& id_or_name) const {
  MutexLock lock(mutex_);
  // An id first: whoever was given one must not get another job, whatever that is called.
  uint64_t id = 0;
  if (absl::SimpleAtoi(id_or_name, &id) && absl::StrCat(id) == id_or_name) {
    auto it = entries_.find(id);
    if (it != entries_.end()) return it->second.record;
  }
  for (auto it = entries_.rbegin(); it != entries_.rend(); ++it) {
    if (it->second.record.name() == id_or_name) return it->second.record;
  }
  return NoSuchJob(id_or_name);
}

std::vector<v1::JobRecord> JobStore::List() const {
  MutexLock lock(mutex_);
  std::vector<v1::JobRecord> records;
  for (auto it = entries_.rbegin(); it != entries_.rend(); ++it) {
    records.push_back(it->second.record);
  }
  return records;
}

}  // namespace millrace
