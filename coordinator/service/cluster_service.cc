#include "coordinator/service/cluster_service.h"

#include "common/base/version.h"
#include "common/net/rpc_status.h"

namespace millrace {
namespace {

v1::WorkerState StateOf(WorkerPhase phase) {
  switch (phase) {
    case WorkerPhase::kActive:
      return v1::WORKER_STATE_ACTIVE;
    case WorkerPhase::kDraining:
      return v1::WORKER_STATE_DRAINING;
    case WorkerPhase::kLost:
      return v1::WORKER_STATE_LOST;
  }
  return v1::WORKER_STATE_UNSPECIFIED;
}

grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext* context,
                                const absl::Status& status = absl::OkStatus()) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* ClusterService::GetVersion(grpc::CallbackServerContext* context,
                                                     const v1::GetVersionRequest*,
                                                     v1::GetVersionResponse* response) {
  response->set_version(kVersion);
  response->set_cluster_id(cluster_id_);
  return Reply(context);
}

grpc::ServerUnaryReactor* ClusterService::ListWorkers(grpc::CallbackServerContext* context,
                                                      const v1::ListWorkersRequest*,
                                                      v1::ListWorkersResponse* response) {
  for (const WorkerEntry& worker : registry_.All()) {
    v1::WorkerStatus* status = response->add_workers();
    status->set_worker_id(worker.id.value());
    status->set_name(worker.name);
    status->set_state(StateOf(worker.phase));
    status->set_data_address(worker.data_address);
    status->set_slots(worker.slots);
    status->set_running_tasks(worker.running_tasks);
    status->set_rss_bytes(worker.rss_bytes);
    status->set_cpu_micros(worker.cpu_micros);
    status->set_joined_at_micros(worker.joined_wall_micros);
    status->set_last_heartbeat_micros(worker.last_heartbeat_wall_micros);
    status->set_version(worker.version);
    status->set_pid(worker.pid);
    status->set_memory_used_bytes(worker.memory_used_bytes);
    status->set_memory_bytes_max(worker.memory_bytes_max);
    for (const JobStateBytes& size : worker.state_sizes) {
      status->set_state_disk_bytes(status->state_disk_bytes() + size.disk_bytes);
    }
    status->set_disk_free_bytes(worker.disk_free_bytes);
    status->set_lost_reason(worker.lost_reason);
  }
  return Reply(context);
}

grpc::ServerUnaryReactor* ClusterService::DrainWorker(grpc::CallbackServerContext* context,
                                                      const v1::DrainWorkerRequest* request,
                                                      v1::DrainWorkerResponse*) {
  return Reply(context, drain_.Ask(request->worker()));
}

}  // namespace millrace
