#include "coordinator/service/coordinator_server.h"

#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/version.h"
#include "common/logging/log.h"
#include "common/net/address_policy.h"
#include "common/net/connection_listener.h"
#include "common/net/health.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_system.h"
#include "coordinator/job/periodic_task.h"
#include "coordinator/job/worker_drain.h"
#include "coordinator/membership/shared_storage.h"
#include "coordinator/membership/worker_admission.h"
#include "coordinator/metadata/rocksdb_metadata_store.h"
#include "coordinator/service/checkpoint_service.h"
#include "coordinator/service/cluster_service.h"
#include "coordinator/service/control_service.h"
#include "coordinator/service/file_commits.h"
#include "coordinator/service/file_watch.h"
#include "coordinator/service/job_service.h"
#include "coordinator/service/recovery.h"
#include "coordinator/service/request_limits.h"
#include "coordinator/service/script_steps.h"
#include "coordinator/service/sql_service.h"
#include "coordinator/service/table_upkeep.h"
#include "coordinator/service/topic_watch.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"

namespace millrace {
namespace {

// A script keeps its thread for as long as its streams last.
constexpr size_t kScriptsMax = 256;
constexpr size_t kWatchersMax = 256;
constexpr size_t kCallsMax = 64;
constexpr int64_t kEpochTickMicros = 5'000;
constexpr int64_t kExpiryTickMicros = 200'000;
// Definitions say how often their files are looked at; this is the grid.
constexpr int64_t kFileTickMicros = 50'000;
constexpr int64_t kTopicTickMicros = 200'000;
constexpr int64_t kCommitTickMicros = 1'000'000;
// Numbers that are reserved durably at a time.
constexpr uint64_t kIdBlock = 64;
// Every statement takes one.
constexpr uint64_t kJobIdBlock = 1024;
constexpr uint64_t kEpochBlock = 4096;
// Request ids that a repeated request is compared with.
constexpr size_t kRequestsRemembered = 1024;
// What calls of clients get to end by themselves when the server is stopped.
constexpr std::chrono::seconds kShutdownGrace(2);

// The same events for both owners of jobs.
class WorkerEvents final : public WorkerListener {
 public:
  WorkerEvents(AttemptRuns& runs, StreamJobs& streams, WorkerDrain& drain, WorkerChannels& channels,
               WorkerRegistry& registry)
      : runs_(runs), streams_(streams), drain_(drain), channels_(channels), registry_(registry) {}

  void OnWorkerJoined(WorkerId worker) override {
    runs_.OnWorkerJoined(worker);
    streams_.OnWorkerJoined();
  }
  void OnWorkerMessage(WorkerId worker, const v1::WorkerMessage& message) override {
    runs_.OnWorkerMessage(worker, message);
    streams_.OnWorkerMessage(worker, message);
    if (message.has_leaving()) {
      streams_.OnWorkerDraining(worker);
      drain_.OnWorkerLeaving(worker);
    }
  }
  void OnWorkerLost(WorkerId worker, const absl::Status& reason) override {
    runs_.OnWorkerLost(worker, reason);
    streams_.OnWorkerLost(worker);
    drain_.OnWorkerLost(worker);
    for (const WorkerEntry& entry : registry_.All()) {
      if (entry.id == worker) channels_.Forget(entry.data_address);
    }
  }

 private:
  AttemptRuns& runs_;
  StreamJobs& streams_;
  WorkerDrain& drain_;
  WorkerChannels& channels_;
  WorkerRegistry& registry_;
};

// Workers look after their connections with pings of their own; one that is silent is lost after
// heartbeat-timeout. A connection that says nothing at all is closed.
void WatchConnections(grpc::ServerBuilder& builder) {
  constexpr int kMinPingMillis = 500;
  constexpr int kHandshakeMillis = 10'000;
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMillis);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingMillis);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

// A client whose machine has vanished is noticed. One that is only stopped for a while stays.
void PingClients(grpc::ServerBuilder& builder) {
  constexpr int kKeepaliveMillis = 60'000;
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMillis);
}

std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

// What is on the disk, opened.
struct Opened {
  std::unique_ptr<MetadataStore> store;
  PathPolicy path_policy;
  AddressPolicy addresses;
  std::string cluster_id;
  SharedFolders folders;
};

absl::StatusOr<Opened> OpenFolders(const CoordinatorConfig& config) {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(config.data_dir));
  MR_RETURN_IF_ERROR(RefuseWorkerFolder(*file_system, "data-dir", config.data_dir));
  MR_RETURN_IF_ERROR(file_system->CreateFolders(config.data_dir));
  MR_ASSIGN_OR_RETURN(std::string data_dir, file_system->Resolve(config.data_dir));
  std::string checkpoint_dir = config.checkpoint_dir;
  if (checkpoint_dir.empty()) checkpoint_dir = JoinPath(data_dir, "checkpoints");
  MR_RETURN_IF_ERROR(RefuseWorkerFolder(*file_system, "checkpoint-dir", checkpoint_dir));
  MR_RETURN_IF_ERROR(file_system->CreateFolders(checkpoint_dir));
  MR_ASSIGN_OR_RETURN(checkpoint_dir, file_system->Resolve(checkpoint_dir));
  MR_ASSIGN_OR_RETURN(PathPolicy policy, PathPolicy::Create(*file_system, config.allowed_paths,
                                                            {data_dir, checkpoint_dir}));
  MR_ASSIGN_OR_RETURN(AddressPolicy addresses, AddressPolicy::Create(config.allowed_brokers));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<RocksDbMetadataStore> store,
                      RocksDbMetadataStore::Open(JoinPath(data_dir, kMetadataFolder)));
  MR_ASSIGN_OR_RETURN(std::string cluster_id, LoadOrCreateClusterId(*store));
  MR_ASSIGN_OR_RETURN(SharedFolders folders, OpenSharedFolders(*file_system, *store, data_dir,
                                                               checkpoint_dir, cluster_id));
  return Opened{std::move(store), std::move(policy), std::move(addresses), std::move(cluster_id),
                std::move(folders)};
}

}  // namespace

// In the order of construction; destroyed in reverse.
struct CoordinatorServer::Parts {
  Parts(const CoordinatorConfig& server_config, const Clock& server_clock, Opened opened)
      : clock(server_clock),
        store(std::move(opened.store)),
        path_policy(std::move(opened.path_policy)),
        addresses(std::move(opened.addresses)),
        cluster_id(std::move(opened.cluster_id)),
        folders(std::move(opened.folders)),
        data_dir(folders.data_dir.path),
        registry(clock,
                 {server_config.heartbeat_interval_micros, server_config.heartbeat_timeout_micros},
                 worker_ids, cluster_id, kVersion),
        admission(clock, registry, {folders.data_dir, folders.checkpoint_dir}, kVersion),
        job_store(*store),
        checkpoints(folders.checkpoint_dir.path, folders.checkpoint_dir.token),
        job_files(data_dir, folders.data_dir.token),
        runs(registry, clock),
        streams({runs, registry, job_store, epoch_ids, checkpoints, job_files, clock,
                 [this](uint64_t table, uint64_t from_position) {
                   return ReadTableLog(catalog->Snapshot(), data_dir, table, from_position);
                 },
                 server_config.checkpoints_kept, server_config.checkpoint_timeout_micros}),
        drain(registry, runs),
        events(runs, streams, drain, channels, registry),
        splits(path_policy, data_dir, addresses),
        file_watch(runs, splits, clock),
        topic_watch(runs, addresses, clock),
        statistics(path_policy, data_dir) {}

  const Clock& clock;
  const std::unique_ptr<MetadataStore> store;
  const PathPolicy path_policy;
  const AddressPolicy addresses;
  const std::string cluster_id;
  const SharedFolders folders;
  const std::string data_dir;
  IdAllocator job_ids{*store, "job", kJobIdBlock};
  IdAllocator object_ids{*store, "object", kIdBlock};
  IdAllocator worker_ids{*store, "worker", kIdBlock};
  IdAllocator epoch_ids{*store, "epoch", kEpochBlock};
  WorkerChannels channels;
  WorkerRegistry registry;
  WorkerAdmission admission;
  std::unique_ptr<Catalog> catalog;
  JobStore job_store;
  const CheckpointFiles checkpoints;
  const JobFiles job_files;
  AttemptRuns runs;
  StreamJobs streams;
  WorkerDrain drain;
  WorkerEvents events;
  const SplitEnumerator splits;
  FileWatch file_watch;
  TopicWatch topic_watch;
  SourceStatistics statistics;
  BadRowsOfStatements bad_rows;
  // Each has its own, so that whoever watches cannot keep others from stopping or starting a job.
  StatementThreads script_threads{
      {kScriptsMax, "scripts", "wait until others have ended, or stop one of them"}};
  StatementThreads watchers{
      {kWatchersMax, "calls that watch a job", "wait until others have ended"}};
  StatementThreads calls{{kCallsMax, "calls that stop, restart, cancel or checkpoint jobs",
                          "wait until others have ended"}};
  std::optional<FileCommits> file_commits;
  std::unique_ptr<StatementExecutor> executor;
  std::unique_ptr<ClusterParts> cluster;
  std::optional<RequestMemory> requests;
  std::unique_ptr<TableUpkeep> upkeep;
  std::unique_ptr<ScriptSteps> script_steps;
  std::unique_ptr<ScriptJobs> scripts;
  std::unique_ptr<ControlService> control_service;
  std::unique_ptr<SqlService> sql_service;
  std::unique_ptr<JobService> job_service;
  std::unique_ptr<CheckpointService> checkpoint_service;
  std::unique_ptr<ClusterService> cluster_service;
  std::optional<PeriodicTask> epoch_ticks;
  std::optional<PeriodicTask> expiry_ticks;
  std::optional<PeriodicTask> file_ticks;
  std::optional<PeriodicTask> topic_ticks;
  std::optional<PeriodicTask> commit_ticks;
  std::unique_ptr<grpc::Server> control_server;
  std::unique_ptr<grpc::Server> client_server;
  std::unique_ptr<ConnectionListener> control_listener;
  std::unique_ptr<ConnectionListener> client_listener;

  absl::Status Recover(const CoordinatorConfig& config);
  absl::Status Serve(const CoordinatorConfig& config, std::string* client_address,
                     std::string* control_address);
  void Stop();
};

absl::Status CoordinatorServer::Parts::Recover(const CoordinatorConfig& config) {
  MR_ASSIGN_OR_RETURN(catalog, Catalog::Open(*store, object_ids));
  MR_RETURN_IF_ERROR(job_store.Load());
  StreamOptions stream_defaults;
  stream_defaults.epoch_interval_micros = config.epoch_interval_micros;
  stream_defaults.checkpoint_interval_micros = config.checkpoint_interval_micros;
  file_commits.emplace(*store, registry.file_cluster());
  MR_RETURN_IF_ERROR(file_commits->Recover());
  cluster = std::make_unique<ClusterParts>(ClusterParts{
      clock, *catalog, job_store, registry, runs, streams, channels, job_ids, splits, path_policy,
      addresses, data_dir, folders.data_dir.token, stream_defaults, config.query_memory_bytes,
      config.worker_wait_micros, *file_commits, &bad_rows, &statistics});
  requests.emplace(*store, kRequestsRemembered);
  MR_RETURN_IF_ERROR(requests->Load());
  upkeep = std::make_unique<TableUpkeep>(*cluster);
  cluster->upkeep = upkeep.get();
  executor = std::make_unique<StatementExecutor>(*cluster);
  script_steps = std::make_unique<ScriptSteps>(*executor, *requests);
  scripts = std::make_unique<ScriptJobs>(
      ScriptJobs::Parts{job_store, streams, job_ids, *script_steps, script_threads, clock});
  MR_RETURN_IF_ERROR(checkpoints.Claim(cluster_id));
  MR_RETURN_IF_ERROR(RepairCatalog(*cluster));
  RemoveOrphanedJobFiles(*cluster, checkpoints, job_files);
  registry.SetListener(&events);
  return RecoverJobs(*cluster, job_files, *scripts);
}

absl::Status CoordinatorServer::Parts::Serve(const CoordinatorConfig& config,
                                             std::string* client_address,
                                             std::string* control_address) {
  control_service = std::make_unique<ControlService>(admission, registry);
  const SqlServiceOptions sql_options{std::chrono::duration_cast<std::chrono::milliseconds>(
                                          std::chrono::microseconds(config.client_timeout_micros)),
                                      config.statements_max};
  sql_service = std::make_unique<SqlService>(*executor, *requests, sql_options);
  job_service = std::make_unique<JobService>(*cluster, *scripts, watchers, calls);
  cluster_service = std::make_unique<ClusterService>(registry, drain, cluster_id);
  checkpoint_service = std::make_unique<CheckpointService>(*cluster, checkpoints, calls);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  MR_ASSIGN_OR_RETURN(control_listener,
                      ConnectionListener::Open(config.control_listen, config.connections_max));
  grpc::ServerBuilder control;
  control_listener->AddTo(control);
  WatchConnections(control);
  control.SetMaxReceiveMessageSize(kControlBytesMax);
  control.SetMaxSendMessageSize(kControlBytesMax);
  control.RegisterService(control_service.get());
  control_server = control.BuildAndStart();
  if (control_server == nullptr) {
    return MakeError(SqlState::kInternalError, "the server for workers does not start");
  }
  MR_ASSIGN_OR_RETURN(client_listener,
                      ConnectionListener::Open(config.listen, config.connections_max));
  grpc::ServerBuilder client;
  client_listener->AddTo(client);
  WatchConnections(client);
  PingClients(client);
  client.SetMaxReceiveMessageSize(kRequestBytesMax);
  client.SetMaxSendMessageSize(-1);
  client.RegisterService(sql_service.get());
  client.RegisterService(job_service.get());
  client.RegisterService(checkpoint_service.get());
  client.RegisterService(cluster_service.get());
  client_server = client.BuildAndStart();
  if (client_server == nullptr) {
    return MakeError(SqlState::kInternalError, "the server for clients does not start");
  }
  SetServing(*control_server, {v1::ControlService::service_full_name()}, Serving::kYes);
  SetServing(*client_server,
             {v1::SqlService::service_full_name(), v1::JobService::service_full_name(),
              v1::CheckpointService::service_full_name(), v1::ClusterService::service_full_name()},
             Serving::kYes);
  control_listener->Start();
  client_listener->Start();
  *client_address = WithPort(config.listen, client_listener->port());
  *control_address = WithPort(config.control_listen, control_listener->port());
  epoch_ticks.emplace(kEpochTickMicros, [this] { streams.Tick(); });
  expiry_ticks.emplace(kExpiryTickMicros, [this] {
    admission.ExpireSilent();
    registry.ExpireSilent();
    runs.ExpireCancellations();
    drain.Tick();
  });
  file_ticks.emplace(kFileTickMicros, [this] { file_watch.Tick(); });
  topic_ticks.emplace(kTopicTickMicros, [this] { topic_watch.Tick(); });
  commit_ticks.emplace(kCommitTickMicros, [this] { file_commits->Tick(); });
  return absl::OkStatus();
}

void CoordinatorServer::Parts::Stop() {
  if (client_server != nullptr) EndServing(*client_server);
  if (client_listener != nullptr) client_listener->Stop();
  if (control_server != nullptr) EndServing(*control_server);
  if (control_listener != nullptr) control_listener->Stop();
  if (scripts != nullptr) scripts->Shutdown();
  streams.Shutdown();
  const auto deadline = std::chrono::system_clock::now() + kShutdownGrace;
  // Calls that are still there at the deadline are cancelled, which cancels their statements.
  if (client_server != nullptr) client_server->Shutdown(deadline);
  epoch_ticks.reset();
  file_ticks.reset();
  topic_ticks.reset();
  commit_ticks.reset();
  const absl::Status goodbye =
      MakeError(SqlState::kCannotConnectNow, "the coordinator is shutting down");
  admission.CloseAll(goodbye);
  registry.CloseAll(goodbye);
  if (control_server != nullptr) control_server->Shutdown(deadline);
  // With nobody connected, every statement has ended or is about to.
  script_threads.JoinAll();
  watchers.JoinAll();
  calls.JoinAll();
  if (sql_service != nullptr) sql_service->JoinAll();
  upkeep.reset();
  expiry_ticks.reset();
  registry.SetListener(nullptr);
}

CoordinatorServer::CoordinatorServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

CoordinatorServer::~CoordinatorServer() { parts_->Stop(); }

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(
    const CoordinatorConfig& config, const Clock& clock) {
  MR_ASSIGN_OR_RETURN(Opened opened, OpenFolders(config));
  auto server = std::unique_ptr<CoordinatorServer>(
      new CoordinatorServer(std::make_unique<Parts>(config, clock, std::move(opened))));
  MR_RETURN_IF_ERROR(server->parts_->Recover(config));
  MR_RETURN_IF_ERROR(
      server->parts_->Serve(config, &server->client_address_, &server->control_address_));
  return server;
}

}  // namespace millrace
