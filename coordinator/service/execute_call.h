#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/service/blocking_writer.h"
#include "coordinator/service/request_memory.h"
#include "coordinator/service/statement_executor.h"
#include "coordinator/sql/parser.h"
#include "millrace/v1/sql_service.pb.h"

namespace millrace {

using ExecuteWriter = BlockingWriter<v1::ExecuteResponse>;

// One call of SqlService.Execute: its statements one after another, with the settings that they
// share. Used by one thread.
class ExecuteCall {
 public:
  ExecuteCall(v1::ExecuteRequest request, StatementExecutor& executor, RequestMemory& requests,
              ExecuteWriter& writer);

  // Returns how the call ends: with keep_going only errors of the call itself.
  absl::Status Run();

 private:
  absl::Status RunStatements();
  // Runs the first of `statements`, with those that belong to the same job, or gives back what it
  // did when the same request was made before.
  RunOutcome RunFrom(absl::Span<const std::string> statements);
  absl::Status SendStart(const StatementText& statement);
  absl::Status SendOutcome(const absl::StatusOr<StatementResult>& result,
                           const StatementText& statement, Leaves leaves);
  void KeepSettings(const StatementResult& result);
  uint32_t At(size_t offset) const { return index_ + static_cast<uint32_t>(offset); }

  const v1::ExecuteRequest request_;
  StatementExecutor& executor_;
  RequestMemory& requests_;
  ExecuteWriter& writer_;
  std::string working_directory_;
  std::map<std::string, std::string> settings_;
  uint32_t index_ = 0;
};

}  // namespace millrace
