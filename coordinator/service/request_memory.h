#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "coordinator/metadata/metadata_store.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

// What statements of recent requests have done, so that a client that repeats a request (because it
// has lost the answer, or the server was restarted) does not do anything twice. What changes the
// catalog or a stored table is recorded in the transaction of the change; what is done outside
// (files), right after it. SET is remembered in memory only, it may be repeated. Bounded: the
// oldest requests are forgotten. Thread-safe.
class RequestMemory {
 public:
  // The store outlives this.
  RequestMemory(MetadataStore& store, size_t requests_max)
      : store_(store), requests_max_(requests_max) {}

  // Takes up what earlier processes have recorded. Before the first request.
  absl::Status Load();

  // A request with this id begins; if OK, End follows. 22023 if it was used with another text or
  // working directory, 55006 (retry safe) while the same request is still running. Settings are not
  // compared: a session that repeats a script has taken over those that its first run has SET.
  absl::Status Begin(const std::string& request_id, const std::string& sql,
                     const std::string& working_directory = "");
  void End(const std::string& request_id);

  // The result of its statement, if that was done before.
  std::optional<StatementResult> Find(const std::string& request_id, uint32_t statement) const;
  // What the transaction that completes the statement writes besides.
  std::vector<MetadataWrite> RecordOf(const std::string& request_id, uint32_t statement,
                                      const StatementResult& result);
  // Remembers a statement that has changed something; others are run again. Writes its record if
  // nobody has asked for it.
  absl::Status Done(const std::string& request_id, uint32_t statement,
                    const StatementResult& result);

 private:
  struct Request {
    uint64_t sql_xxh3 = 0;
    bool running = false;
    std::map<uint32_t, StatementResult> done;
    // Statements whose records are in the store, or on their way.
    std::map<uint32_t, std::string> keys;
  };

  Request* Find(const std::string& request_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MetadataStore& store_;
  const size_t requests_max_;
  mutable Mutex mutex_;
  std::map<std::string, Request> requests_ ABSL_GUARDED_BY(mutex_);
  // Oldest first.
  std::deque<std::string> order_ ABSL_GUARDED_BY(mutex_);
  // Keys of forgotten requests, to be removed with the next record.
  std::vector<std::string> forgotten_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
