#pragma once

#include "coordinator/job/statement_threads.h"
#include "coordinator/service/request_memory.h"
#include "coordinator/service/statement_executor.h"
#include "millrace/v1/sql_service.grpc.pb.h"

namespace millrace {

// SqlService: each call runs on a thread of its own, statement by statement.
class SqlService final : public v1::SqlService::CallbackService {
 public:
  SqlService(StatementExecutor& executor, StatementThreads& threads, RequestMemory& requests)
      : executor_(executor), threads_(threads), requests_(requests) {}

  grpc::ServerWriteReactor<v1::ExecuteResponse>* Execute(
      grpc::CallbackServerContext* context, const v1::ExecuteRequest* request) override;

 private:
  StatementExecutor& executor_;
  StatementThreads& threads_;
  RequestMemory& requests_;
};

}  // namespace millrace
