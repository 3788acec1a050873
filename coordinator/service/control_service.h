#pragma once

#include "coordinator/membership/worker_registry.h"
#include "millrace/v1/control.grpc.pb.h"

namespace millrace {

// ControlService: one stream for each worker, handed to the registry.
class ControlService final : public v1::ControlService::CallbackService {
 public:
  explicit ControlService(WorkerRegistry& registry) : registry_(registry) {}

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  WorkerRegistry& registry_;
};

}  // namespace millrace
