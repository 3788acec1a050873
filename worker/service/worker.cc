#include "worker/service/worker.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/config/process_config.h"
#include "common/net/address_policy.h"
#include "common/net/connection_listener.h"
#include "common/net/health.h"
#include "common/net/local_address.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_system.h"
#include "worker/exchange/channel_registry.h"
#include "worker/exchange/peer_pool.h"
#include "worker/memory/memory_budget.h"
#include "worker/runtime/actor_pool.h"
#include "worker/runtime/timer_queue.h"
#include "worker/service/attempt_manager.h"
#include "worker/service/control_client.h"
#include "worker/service/data_service.h"
#include "worker/state/memory_view_store.h"
#include "worker/state/state_folder.h"
#include "worker/state/state_resources.h"

namespace millrace {
namespace {

constexpr int kFrameBytesMax = 64 << 20;
constexpr int kPingMillisMin = 1000;
constexpr int kDataKeepaliveMillis = 5000;
constexpr int kHandshakeMillis = 10'000;
// Other workers and the coordinator, one or a few each.
constexpr size_t kConnectionsMax = 4096;
// For reads of others that are under way when the worker stops.
constexpr std::chrono::milliseconds kStopPatience(500);

// Shares of the worker's memory.
constexpr uint64_t kStateCacheBytesMin = 16 << 20;

uint64_t StateBytes(uint64_t memory_bytes) {
  return std::max<uint64_t>(kStateCacheBytesMin, memory_bytes / 8);
}

}  // namespace

struct Worker::Parts {
  Parts(const WorkerOptions& options, FileSystem& file_system, const AddressPolicy& addresses,
        std::unique_ptr<StateFolder> locked_folder)
      : state_folder(std::move(locked_folder)),
        state_resources(StateBytes(options.memory_bytes), StateBytes(options.memory_bytes)),
        query_memory(
            options.memory_bytes > 0 ? static_cast<int64_t>(options.memory_bytes) : INT64_MAX / 2,
            MemoryBudget::Of::kWorker),
        attempts(WorkerParts{pool, timers, SystemClock(), channels, peers, file_system, views,
                             addresses, &query_memory},
                 ManagerOptions(options)),
        pool(static_cast<int>(options.slots)),
        service(channels, attempts) {}

  AttemptManagerOptions ManagerOptions(const WorkerOptions& options) const {
    AttemptManagerOptions manager;
    manager.data_dir = options.data_dir;
    manager.state_folder = state_folder->path();
    manager.memory_bytes_max = options.memory_bytes;
    manager.query_memory_bytes = options.memory_bytes / 2;
    manager.state_resources = &state_resources;
    manager.on_drained = options.on_drained;
    return manager;
  }

  // Goes last, when no database lies in it any more.
  std::unique_ptr<StateFolder> state_folder;
  StateResources state_resources;
  // Of all queries that end, and of all views.
  MemoryBudget query_memory;
  MemoryBudget view_memory{query_memory, MemoryBudget::Of::kViews};
  MemoryViewStore views{&view_memory};
  ChannelRegistry channels;
  PeerPool peers;
  // Outlives the threads below: a task that has just ended may still be telling it so.
  AttemptManager attempts;
  ActorPool pool;
  // Ends before the pool: a timer wakes tasks.
  TimerQueue timers;
  DataService service;
  // Null without a coordinator.
  std::unique_ptr<ControlClient> control;
};

Worker::Worker() = default;

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(WorkerOptions options) {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(options.data_dir));
  std::unique_ptr<Worker> worker(new Worker());
  MR_ASSIGN_OR_RETURN(const AddressPolicy addresses,
                      AddressPolicy::Create(options.allowed_brokers));
  MR_RETURN_IF_ERROR(ClaimWorkerFolder(*file_system, options.data_dir));
  MR_ASSIGN_OR_RETURN(auto state_folder, StateFolder::Open(options.data_dir));
  worker->parts_ =
      std::make_unique<Parts>(options, *file_system, addresses, std::move(state_folder));
  MR_RETURN_IF_ERROR(worker->Listen(options));
  if (options.coordinator.empty()) return worker;
  ControlClientOptions control;
  control.coordinator = options.coordinator;
  control.name = options.name;
  control.slots = options.slots;
  control.data_address = worker->data_address_;
  // The worker's own service can be used while the worker takes part in a cluster.
  grpc::Server* server = worker->server_.get();
  control.on_registered = [server, then = std::move(options.on_registered)](
                              uint32_t worker_id, const std::string& data_address) {
    SetServing(*server, {v1::DataService::service_full_name()}, Serving::kYes);
    then(worker_id, data_address);
  };
  control.on_lost = [server] {
    SetServing(*server, {v1::DataService::service_full_name()}, Serving::kNo);
  };
  control.on_refused = std::move(options.on_refused);
  control.on_leave_asked = std::move(options.on_leave_asked);
  control.on_alone = std::move(options.on_drained);
  worker->parts_->control =
      std::make_unique<ControlClient>(std::move(control), worker->parts_->attempts, SystemClock());
  return worker;
}

absl::Status Worker::Listen(const WorkerOptions& options) {
  MR_ASSIGN_OR_RETURN(const HostPort listen, ParseHostPort(options.listen));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  MR_ASSIGN_OR_RETURN(listener_, ConnectionListener::Open(options.listen, kConnectionsMax));
  listener_->AddTo(builder);
  builder.SetMaxReceiveMessageSize(kFrameBytesMax);
  builder.SetMaxSendMessageSize(-1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingMillisMin);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Others that have vanished, or say nothing at all.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kDataKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kDataKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMillis);
  builder.RegisterService(&parts_->service);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    return MakeError(SqlState::kInternalError, "the server for data does not start");
  }
  listener_->Start();
  SetServing(*server_, {v1::DataService::service_full_name()},
             options.coordinator.empty() ? Serving::kYes : Serving::kNo);
  data_address_ = JoinHostPort(listen.host, listener_->port());
  if (options.advertise.empty()) return absl::OkStatus();
  const bool has_port = ParseHostPort(options.advertise).ok();
  data_address_ = has_port ? options.advertise : JoinHostPort(options.advertise, listener_->port());
  return absl::OkStatus();
}

Worker::~Worker() {
  if (parts_ == nullptr) return;
  if (server_ != nullptr) EndServing(*server_);
  parts_->control.reset();
  // Readers of results are told that the tasks are cancelled before the server closes.
  parts_->attempts.Disconnect();
  if (server_ != nullptr) {
    listener_->Stop();
    server_->Shutdown(std::chrono::system_clock::now() + kStopPatience);
    server_->Wait();
  }
}

void Worker::Leave(int64_t patience_micros) {
  SetServing(*server_, {v1::DataService::service_full_name()}, Serving::kNo);
  parts_->control->Leave(patience_micros);
}

AttemptManager& Worker::attempts() { return parts_->attempts; }

}  // namespace millrace
