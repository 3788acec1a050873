#include "coordinator/service/sql_service.h"

#include <memory>

#include "coordinator/service/execute_call.h"

namespace millrace {

grpc::ServerWriteReactor<v1::ExecuteResponse>* SqlService::Execute(
    grpc::CallbackServerContext* context, const v1::ExecuteRequest* request) {
  auto writer = std::make_shared<ExecuteWriter>(*context, options_.client_timeout);
  grpc::ServerWriteReactor<v1::ExecuteResponse>* reactor = writer->Begin();
  auto call = std::make_shared<ExecuteCall>(*request, executor_, requests_, *writer);
  const absl::Status started = statements_.Run([writer, call] { writer->End(call->Run()); });
  if (!started.ok()) writer->End(started);
  return reactor;
}

}  // namespace millrace
