#pragma once

#include <string>

#include "coordinator/job/worker_drain.h"
#include "coordinator/membership/worker_registry.h"
#include "millrace/v1/cluster_service.grpc.pb.h"

namespace millrace {

class ClusterService final : public v1::ClusterService::CallbackService {
 public:
  ClusterService(const WorkerRegistry& registry, WorkerDrain& drain, std::string cluster_id)
      : registry_(registry), drain_(drain), cluster_id_(std::move(cluster_id)) {}

  grpc::ServerUnaryReactor* GetVersion(grpc::CallbackServerContext* context,
                                       const v1::GetVersionRequest* request,
                                       v1::GetVersionResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context,
                                        const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override;
  grpc::ServerUnaryReactor* DrainWorker(grpc::CallbackServerContext* context,
                                        const v1::DrainWorkerRequest* request,
                                        v1::DrainWorkerResponse* response) override;

 private:
  const WorkerRegistry& registry_;
  WorkerDrain& drain_;
  const std::string cluster_id_;
};

}  // namespace millrace
