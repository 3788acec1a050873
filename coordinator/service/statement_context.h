#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/job/cancellation.h"
#include "coordinator/metadata/metadata_store.h"
#include "coordinator/service/result_sink.h"

namespace millrace {

// What a statement leaves.
struct StatementResult {
  // "SELECT", "CREATE TABLE", …
  std::string tag;
  uint64_t rows = 0;
  // The streaming job that was created; 0 = none.
  uint64_t stream_job_id = 0;
  // "table daily", "view per_minute", a path; empty if nothing was stored.
  std::string stored_at;
  // SET and RESET: names and new values; absent = the default again.
  std::vector<std::pair<std::string, std::optional<std::string>>> settings;
  // Messages and hints for the client that did not go to the context's sink; see
  // StatementExecutor::ExecuteRun.
  std::vector<std::pair<std::string, std::string>> notices = {};
};

// Who runs a statement, and under which settings. Lives as long as the statement.
struct StatementContext {
  // Values that differ from the defaults, as text.
  std::map<std::string, std::string> settings;
  // Absolute; relative paths of the statement are resolved against it.
  std::string working_directory;
  Cancellation& cancellation;
  ResultSink& sink;
  // The script that the statement is a step of, and which; 0 = none.
  uint64_t parent_job_id = 0;
  uint32_t step = 0;
  // Called when a job is started for the statement; may be empty.
  std::function<void(uint64_t job_id)> on_job;
  // What the transaction that completes the statement must write besides, given its result; may be
  // empty. See RequestMemory.
  std::function<std::vector<MetadataWrite>(const StatementResult&)> record_of = {};
};

// What the transaction that completes the statement must write besides.
inline std::vector<MetadataWrite> RecordOf(const StatementContext& context,
                                           const StatementResult& result) {
  return context.record_of ? context.record_of(result) : std::vector<MetadataWrite>();
}

// A statement that leaves nothing but its tag.
inline StatementResult Done(std::string tag) {
  StatementResult result;
  result.tag = std::move(tag);
  return result;
}

}  // namespace millrace
