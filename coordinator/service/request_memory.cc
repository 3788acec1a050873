#include "coordinator/service/request_memory.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

bool ChangesSomething(const StatementResult& result) {
  for (const char* tag : {"CREATE", "INSERT", "COPY", "DROP", "SET", "RESET"}) {
    if (absl::StartsWith(result.tag, tag)) return true;
  }
  return false;
}

}  // namespace

absl::Status RequestMemory::Begin(const std::string& request_id, const std::string& sql) {
  if (request_id.empty()) return absl::OkStatus();
  MutexLock lock(mutex_);
  const auto [it, added] = requests_.try_emplace(request_id);
  if (added) {
    it->second.sql = sql;
    order_.push_back(request_id);
    if (order_.size() > requests_max_) {
      requests_.erase(order_.front());
      order_.pop_front();
    }
    return absl::OkStatus();
  }
  if (it->second.sql == sql) return absl::OkStatus();
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("request id ", request_id, " was used before with another text"));
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

void RequestMemory::Done(const std::string& request_id, uint32_t statement,
                         const StatementResult& result) {
  if (request_id.empty() || !ChangesSomething(result)) return;
  MutexLock lock(mutex_);
  const auto request = requests_.find(request_id);
  if (request != requests_.end()) request->second.done[statement] = result;
}

}  // namespace millrace
