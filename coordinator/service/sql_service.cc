#include "coordinator/service/sql_service.h"

#include <memory>

#include "coordinator/service/execute_call.h"

namespace millrace {

grpc::ServerWriteReactor<v1::ExecuteResponse>* SqlService::Execute(
    grpc::CallbackServerContext* context, const v1::ExecuteRequest* request) {
  auto writer = std::make_shared<ExecuteWriter>(
      *context, StallLimit{options_.client_timeout, "the client has taken no rows",
                           "client-timeout of the coordinator"});
  grpc::ServerWriteReactor<v1::ExecuteResponse>* reactor = writer->Begin();
  auto call = std::make_shared<ExecuteCall>(*request, executor_, requests_, *writer);
  const absl::Status started = statements_.Run([writer, call] { writer->End(call->Run()); });
  if (!started.ok()) writer->End(started);
  return reactor;
}

}  // namespace millrace
