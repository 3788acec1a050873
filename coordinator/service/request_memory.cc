#include "coordinator/service/request_memory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "coordinator/service/request_limits.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

constexpr uint32_t kRequestFormat = 1;
constexpr char kRequestPrefix[] = "request/";

bool ChangesSomething(const StatementResult& result) {
  for (const char* tag : {"CREATE", "INSERT", "COPY", "DROP", "SET", "RESET"}) {
    if (absl::StartsWith(result.tag, tag)) return true;
  }
  return false;
}

// SET and RESET change the session alone.
bool IsRecorded(const StatementResult& result) {
  return ChangesSomething(result) && result.settings.empty();
}

// Any bytes in the id: the number of the statement comes first.
std::string KeyOf(const std::string& request_id, uint32_t statement) {
  return absl::StrCat(kRequestPrefix, statement, "/", request_id);
}

}  // namespace

absl::Status RequestMemory::Load() {
  MR_ASSIGN_OR_RETURN(std::vector<MetadataEntry> entries, store_.List(kRequestPrefix));
  std::sort(entries.begin(), entries.end(),
            [](const MetadataEntry& a, const MetadataEntry& b) { return a.revision < b.revision; });
  MutexLock lock(mutex_);
  for (const MetadataEntry& entry : entries) {
    v1::RequestRecord record;
    if (!record.ParseFromString(entry.value)) {
      return MakeError(SqlState::kDataCorrupted,
                       absl::StrCat("the record of a request is damaged: ", entry.key));
    }
    MR_RETURN_IF_ERROR(
        CheckRecordFormat("the record of a request", record.format_version(), kRequestFormat));
    const auto [it, added] = requests_.try_emplace(record.request_id());
    // A script is as young as its newest statement: it may have been in the middle of it.
    if (!added) std::erase(order_, record.request_id());
    order_.push_back(record.request_id());
    it->second.sql_xxh3 = record.sql_xxh3();
    it->second.keys[record.statement()] = entry.key;
    StatementResult& result = it->second.done[record.statement()];
    result.tag = record.tag();
    result.rows = record.rows();
    result.stream_job_id = record.stream_job_id();
  }
  Forget();
  return absl::OkStatus();
}

RequestMemory::Request* RequestMemory::Find(const std::string& request_id) {
  const auto request = requests_.find(request_id);
  return request == requests_.end() ? nullptr : &request->second;
}

void RequestMemory::Forget() {
  // Requests that run are the newest, or few: they wait for their turn at the end.
  for (size_t tried = 0; order_.size() > requests_max_ && tried < requests_max_; ++tried) {
    std::string oldest = std::move(order_.front());
    order_.pop_front();
    const auto request = requests_.find(oldest);
    if (request->second.running) {
      order_.push_back(std::move(oldest));
      continue;
    }
    for (auto& [statement, key] : request->second.keys) forgotten_.push_back(std::move(key));
    requests_.erase(request);
  }
}

absl::Status RequestMemory::Begin(const std::string& request_id, const std::string& sql,
                                  const std::string& working_directory) {
  if (request_id.empty()) return absl::OkStatus();
  MR_RETURN_IF_ERROR(CheckRequestId(request_id));
  const uint64_t sql_xxh3 =
      Xxh3(absl::StrCat(sql, working_directory.empty() ? "" : "\n", working_directory));
  MutexLock lock(mutex_);
  const auto [it, added] = requests_.try_emplace(request_id);
  Request& request = it->second;
  if (added) {
    request.sql_xxh3 = sql_xxh3;
    order_.push_back(request_id);
  } else if (request.sql_xxh3 != sql_xxh3) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("request id ", request_id,
                                  " was used before with another text or working directory"));
  } else if (request.running) {
    ErrorDetail detail;
    detail.state = SqlState::kObjectInUse;
    detail.retry = Retry::kSafe;
    detail.hint = "repeat it when the first one has ended";
    return MakeError(detail, absl::StrCat("request ", request_id, " is still running"));
  }
  request.running = true;
  Forget();
  return absl::OkStatus();
}

void RequestMemory::End(const std::string& request_id) {
  MutexLock lock(mutex_);
  if (Request* request = Find(request_id)) request->running = false;
}

std::optional<StatementResult> RequestMemory::Find(const std::string& request_id,
                                                   uint32_t statement) const {
  if (request_id.empty()) return std::nullopt;
  MutexLock lock(mutex_);
  const auto request = requests_.find(request_id);
  if (request == requests_.end()) return std::nullopt;
  const auto done = request->second.done.find(statement);
  if (done == request->second.done.end()) return std::nullopt;
  return done->second;
}

std::vector<MetadataWrite> RequestMemory::RecordOf(const std::string& request_id,
                                                   uint32_t statement,
                                                   const StatementResult& result) {
  std::vector<MetadataWrite> writes;
  if (request_id.empty() || !IsRecorded(result)) return writes;
  MutexLock lock(mutex_);
  Request* request = Find(request_id);
  if (request == nullptr) return writes;
  v1::RequestRecord record;
  record.set_format_version(kRequestFormat);
  record.set_request_id(request_id);
  record.set_statement(statement);
  record.set_sql_xxh3(request->sql_xxh3);
  record.set_tag(result.tag);
  record.set_rows(result.rows);
  record.set_stream_job_id(result.stream_job_id);
  const std::string key = KeyOf(request_id, statement);
  request->keys[statement] = key;
  writes.push_back({key, record.SerializeAsString()});
  for (std::string& forgotten : forgotten_) writes.push_back({std::move(forgotten), std::nullopt});
  forgotten_.clear();
  return writes;
}

absl::Status RequestMemory::Done(const std::string& request_id, uint32_t statement,
                                 const StatementResult& result) {
  if (request_id.empty() || !ChangesSomething(result)) return absl::OkStatus();
  bool recorded = false;
  {
    MutexLock lock(mutex_);
    Request* request = Find(request_id);
    if (request == nullptr) return absl::OkStatus();
    request->done[statement] = result;
    recorded = request->keys.contains(statement);
  }
  if (recorded) return absl::OkStatus();
  const std::vector<MetadataWrite> writes = RecordOf(request_id, statement, result);
  return writes.empty() ? absl::OkStatus() : store_.Transact({}, writes).status();
}

}  // namespace millrace
