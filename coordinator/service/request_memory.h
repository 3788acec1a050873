#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

// What statements of recent requests have done, so that a client that repeats a request (because it
// has lost the answer) does not do anything twice. In memory: after a restart of the server a
// repeated creation fails with "already exists". Thread-safe.
class RequestMemory {
 public:
  explicit RequestMemory(size_t requests_max) : requests_max_(requests_max) {}

  // A request with this id begins. 22023 if it was used with another text.
  absl::Status Begin(const std::string& request_id, const std::string& sql);
  // The result of its statement, if that was done before.
  std::optional<StatementResult> Find(const std::string& request_id, uint32_t statement) const;
  // Remembers a statement that has changed something; others are run again.
  void Done(const std::string& request_id, uint32_t statement, const StatementResult& result);

 private:
  struct Request {
    std::string sql;
    std::map<uint32_t, StatementResult> done;
  };

  const size_t requests_max_;
  mutable Mutex mutex_;
  std::map<std::string, Request> requests_ ABSL_GUARDED_BY(mutex_);
  // Oldest first.
  std::deque<std::string> order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
