#include "coordinator/service/sql_service.h"

#include <chrono>
#include <memory>

#include "coordinator/service/execute_call.h"

namespace millrace {
namespace {

// A client that reads nothing for so long loses its statement.
constexpr std::chrono::minutes kStallTimeout(5);

}  // namespace

grpc::ServerWriteReactor<v1::ExecuteResponse>* SqlService::Execute(
    grpc::CallbackServerContext*, const v1::ExecuteRequest* request) {
  auto writer = std::make_shared<ExecuteWriter>(kStallTimeout);
  grpc::ServerWriteReactor<v1::ExecuteResponse>* reactor = writer->Begin();
  auto call = std::make_shared<ExecuteCall>(*request, executor_, requests_, *writer);
  const absl::Status started = threads_.Run([writer, call] { writer->End(call->Run()); });
  if (!started.ok()) writer->End(started);
  return reactor;
}

}  // namespace millrace
