#include "common/net/health.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace millrace {

namespace health = grpc::health::v1;

void SetServing(grpc::Server& server, std::initializer_list<absl::string_view> services,
                Serving serving) {
  for (absl::string_view service : services) {
    server.GetHealthCheckService()->SetServingStatus(std::string(service),
                                                     serving == Serving::kYes);
  }
}

void EndServing(grpc::Server& server) { server.GetHealthCheckService()->Shutdown(); }

absl::StatusOr<Serving> AskServing(const std::string& server, const std::string& service,
                                   int64_t timeout_ms) {
  grpc::ChannelArguments arguments;
  // No proxy from the environment: the address is meant as written.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto stub = health::Health::NewStub(
      grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
  health::HealthCheckRequest request;
  request.set_service(service);
  health::HealthCheckResponse response;
  const grpc::Status status = stub->Check(&context, request, &response);
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
    return MakeError(SqlState::kUndefinedObject,
                     absl::StrCat("the server at ", server, " has no service \"", service, "\""));
  }
  if (!status.ok()) {
    return MakeError(SqlState::kConnectionFailure,
                     absl::StrCat("no answer from ", server, ": ", status.error_message()));
  }
  return response.status() == health::HealthCheckResponse::SERVING_STATUS_SERVING ? Serving::kYes
                                                                                  : Serving::kNo;
}

}  // namespace millrace
