#pragma once

#include "coordinator/epoch/checkpoint_files.h"
#include "coordinator/job/statement_threads.h"
#include "coordinator/service/cluster_parts.h"
#include "millrace/v1/checkpoint_service.grpc.pb.h"

namespace millrace {

// CheckpointService. Calls that wait, or read files, run on threads of their own.
class CheckpointService final : public v1::CheckpointService::CallbackService {
 public:
  CheckpointService(ClusterParts& parts, const CheckpointFiles& checkpoints,
                    StatementThreads& calls)
      : parts_(parts), checkpoints_(checkpoints), calls_(calls) {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListCheckpointsRequest* request,
                                 v1::ListCheckpointsResponse* response) override;
  grpc::ServerUnaryReactor* Create(grpc::CallbackServerContext* context,
                                   const v1::CreateCheckpointRequest* request,
                                   v1::CreateCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* Inspect(grpc::CallbackServerContext* context,
                                    const v1::InspectCheckpointRequest* request,
                                    v1::InspectCheckpointResponse* response) override;

 private:
  ClusterParts& parts_;
  const CheckpointFiles& checkpoints_;
  StatementThreads& calls_;
};

}  // namespace millrace
