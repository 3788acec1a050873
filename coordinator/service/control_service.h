#pragma once

#include "coordinator/membership/worker_admission.h"
#include "coordinator/membership/worker_registry.h"
#include "millrace/v1/control.grpc.pb.h"

namespace millrace {

// ControlService: one stream for each worker; the admission takes its first messages, the registry
// those after.
class ControlService final : public v1::ControlService::CallbackService {
 public:
  ControlService(WorkerAdmission& admission, WorkerRegistry& registry)
      : admission_(admission), registry_(registry) {}

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  WorkerAdmission& admission_;
  WorkerRegistry& registry_;
};

}  // namespace millrace
