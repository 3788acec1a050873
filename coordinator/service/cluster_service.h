#pragma once

#include <string>

#include "coordinator/membership/worker_registry.h"
#include "millrace/v1/cluster_service.grpc.pb.h"

namespace millrace {

class ClusterService final : public v1::ClusterService::CallbackService {
 public:
  ClusterService(const WorkerRegistry& registry, std::string cluster_id)
      : registry_(registry), cluster_id_(std::move(cluster_id)) {}

  grpc::ServerUnaryReactor* GetVersion(grpc::CallbackServerContext* context,
                                       const v1::GetVersionRequest* request,
                                       v1::GetVersionResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context,
                                        const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override;

 private:
  const WorkerRegistry& registry_;
  const std::string cluster_id_;
};

}  // namespace millrace
