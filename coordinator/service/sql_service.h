#pragma once

#include <chrono>
#include <cstddef>

#include "coordinator/job/statement_threads.h"
#include "coordinator/service/request_memory.h"
#include "coordinator/service/statement_executor.h"
#include "millrace/v1/sql_service.grpc.pb.h"

namespace millrace {

struct SqlServiceOptions {
  // A client that reads nothing for so long loses its statement.
  std::chrono::milliseconds client_timeout{300'000};
  // Calls that run at the same moment; one too many is refused.
  size_t statements_max = 200;
};

// SqlService: each call runs on a thread of its own, statement by statement.
class SqlService final : public v1::SqlService::CallbackService {
 public:
  SqlService(StatementExecutor& executor, RequestMemory& requests, SqlServiceOptions options)
      : executor_(executor),
        requests_(requests),
        options_(options),
        statements_({options.statements_max, "statements",
                     "wait until others have ended, or raise max-statements of the coordinator"}) {}
  // Waits for all calls, which somebody else has cancelled.
  void JoinAll() { statements_.JoinAll(); }

  grpc::ServerWriteReactor<v1::ExecuteResponse>* Execute(
      grpc::CallbackServerContext* context, const v1::ExecuteRequest* request) override;

 private:
  StatementExecutor& executor_;
  RequestMemory& requests_;
  const SqlServiceOptions options_;
  StatementThreads statements_;
};

}  // namespace millrace
