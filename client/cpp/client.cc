#include "client/cpp/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/channel.h"
#include "client/cpp/result_decoder.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/types/utf8.h"
#include "millrace/v1/checkpoint_service.grpc.pb.h"
#include "millrace/v1/cluster_service.grpc.pb.h"
#include "millrace/v1/job_service.grpc.pb.h"
#include "millrace/v1/sql_service.grpc.pb.h"

namespace millrace {
namespace {

// A protobuf string takes nothing else; gRPC would only say that the call is not implemented.
absl::Status CheckEncoding(absl::string_view sql) {
  if (IsValidText(sql)) return absl::OkStatus();
  return MakeError(SqlState::kCharacterNotInRepertoire,
                   "the statement is not valid UTF-8, or holds a zero byte");
}

constexpr std::chrono::seconds kUnaryDeadline{30};
// A server gives a job ten minutes to drain.
constexpr std::chrono::minutes kStopDeadline{11};

// With growing pauses about a minute: time for a coordinator to be started again.
constexpr int kWatchRetries = 32;

void SetUnaryDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kUnaryDeadline);
}

absl::Status StatementErrorToStatus(const v1::StatementError& error) {
  ErrorDetail detail;
  detail.state = SqlStateFromCode(error.sqlstate());
  detail.position = error.position();
  detail.hint = error.hint();
  detail.blame = Blame::kUser;
  return MakeError(detail, error.message());
}

// Passes one message of the stream to the handler.
absl::Status Dispatch(const v1::ExecuteResponse& response, ResultDecoder& decoder,
                      StatementHandler& handler) {
  switch (response.message_case()) {
    case v1::ExecuteResponse::kStatementStart: {
      const auto& start = response.statement_start();
      handler.OnStatementStart(start.index(), start.begin_byte(), start.end_byte());
      return absl::OkStatus();
    }
    case v1::ExecuteResponse::kSchema:
      MR_RETURN_IF_ERROR(decoder.SetSchema(response.schema()));
      return handler.OnSchema(decoder.schema());
    case v1::ExecuteResponse::kBatch: {
      MR_ASSIGN_OR_RETURN(auto batch, decoder.Decode(response.batch()));
      return handler.OnBatch(std::move(batch));
    }
    case v1::ExecuteResponse::kNotice:
      handler.OnNotice(response.notice().message(), response.notice().hint());
      return absl::OkStatus();
    case v1::ExecuteResponse::kStatementEnd: {
      const auto& end = response.statement_end();
      return handler.OnStatementEnd(end.tag(), end.rows(), end.job_id());
    }
    case v1::ExecuteResponse::kError:
      return handler.OnStatementError(StatementErrorToStatus(response.error()));
    case v1::ExecuteResponse::kSettingChanged:
      handler.OnSettingChanged(response.setting_changed().name(),
                               response.setting_changed().value());
      return absl::OkStatus();
    case v1::ExecuteResponse::kProgress:
      handler.OnProgress(response.progress().rows_read(), response.progress().fraction());
      return absl::OkStatus();
    case v1::ExecuteResponse::MESSAGE_NOT_SET:
      // A newer server may send what this client does not know.
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace

struct CancelToken::State {
  Mutex mutex;
  bool cancelled ABSL_GUARDED_BY(mutex) = false;
  grpc::ClientContext* context ABSL_GUARDED_BY(mutex) = nullptr;

  void Attach(grpc::ClientContext* running) {
    MutexLock lock(mutex);
    context = running;
    if (cancelled && running != nullptr) running->TryCancel();
  }
};

CancelToken::CancelToken() : state_(std::make_shared<State>()) {}
CancelToken::~CancelToken() = default;

void CancelToken::Cancel() {
  MutexLock lock(state_->mutex);
  state_->cancelled = true;
  if (state_->context != nullptr) state_->context->TryCancel();
}

bool CancelToken::cancelled() const {
  MutexLock lock(state_->mutex);
  return state_->cancelled;
}

struct Client::Stubs {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::SqlService::Stub> sql;
  std::unique_ptr<v1::JobService::Stub> job;
  std::unique_ptr<v1::CheckpointService::Stub> checkpoint;
  std::unique_ptr<v1::ClusterService::Stub> cluster;
};

Client::Client() : stubs_(std::make_unique<Stubs>()) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  MR_RETURN_IF_ERROR(CheckServerAddress(options.server));
  std::unique_ptr<Client> client(new Client());
  Stubs& stubs = *client->stubs_;
  stubs.channel = MakeClientChannel(options.server);
  stubs.sql = v1::SqlService::NewStub(stubs.channel);
  stubs.job = v1::JobService::NewStub(stubs.channel);
  stubs.checkpoint = v1::CheckpointService::NewStub(stubs.channel);
  stubs.cluster = v1::ClusterService::NewStub(stubs.channel);

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(options.connect_timeout_ms));
  v1::GetVersionResponse version;
  const absl::Status status =
      ConnectStatus(options.server, stubs.cluster->GetVersion(&context, {}, &version));
  if (!status.ok() && GetErrorDetail(status).hint.empty()) {
    return WithHint(status, "start one with millrace dev, or name another with --server HOST:PORT");
  }
  MR_RETURN_IF_ERROR(status);
  client->server_version_ = version.version();
  return client;
}

absl::Status Client::Execute(absl::string_view sql, const ExecuteOptions& options,
                             StatementHandler& handler, CancelToken* cancel) {
  MR_RETURN_IF_ERROR(CheckEncoding(sql));
  v1::ExecuteRequest request;
  request.set_sql(std::string(sql));
  request.set_keep_going(options.keep_going);
  request.set_working_directory(options.working_directory);
  request.set_request_id(options.request_id);
  for (const auto& [name, value] : options.settings) (*request.mutable_settings())[name] = value;

  grpc::ClientContext context;
  if (cancel != nullptr) cancel->state_->Attach(&context);
  auto reader = stubs_->sql->Execute(&context, request);
  ResultDecoder decoder;
  v1::ExecuteResponse response;
  absl::Status handled;
  while (handled.ok() && reader->Read(&response)) handled = Dispatch(response, decoder, handler);
  if (!handled.ok()) {
    context.TryCancel();
    while (reader->Read(&response)) {
    }
  }
  const grpc::Status status = reader->Finish();
  if (cancel != nullptr) cancel->state_->Attach(nullptr);
  if (!handled.ok()) return handled;
  return CallStatus(status);
}

absl::StatusOr<std::string> Client::SubmitJob(absl::string_view sql, absl::string_view name,
                                              const ExecuteOptions& options) {
  MR_RETURN_IF_ERROR(CheckEncoding(sql));
  v1::SubmitJobRequest request;
  request.set_sql(std::string(sql));
  request.set_name(std::string(name));
  request.set_request_id(options.request_id);
  request.set_working_directory(options.working_directory);
  for (const auto& [key, value] : options.settings) (*request.mutable_settings())[key] = value;
  grpc::ClientContext context;
  SetUnaryDeadline(context);
  v1::SubmitJobResponse response;
  MR_RETURN_IF_ERROR(CallStatus(stubs_->job->Submit(&context, request, &response)));
  return response.job_id();
}

absl::StatusOr<v1::JobStatus> Client::GetJob(absl::string_view job) {
  v1::GetJobRequest request;
  request.set_job(std::string(job));
  grpc::ClientContext context;
  SetUnaryDeadline(context);
  v1::GetJobResponse response;
  MR_RETURN_IF_ERROR(CallStatus(stubs_->job->Get(&context, request, &response)));
  return std::move(*response.mutable_status());
}

absl::StatusOr<std::vector<v1::JobStatus>> Client::ListJobs(uint32_t limit) {
  v1::ListJobsRequest request;
  request.set_limit(limit);
  grpc::ClientContext context;
  SetUnaryDeadline(context);
  v1::ListJobsResponse response;
  MR_RETURN_IF_ERROR(CallStatus(stubs_->job->List(&context, request, &response)));
  return std::vector<v1::JobStatus>(response.jobs().begin(), response.jobs().end());
}

absl::Status Client::WatchJob(absl::string_view job,
                              const std::function<bool(const v1::JobStatus&)>& on_status,
                              CancelToken* cancel) {
  v1::WatchJobRequest request;
  request.set_job(std::string(job));
  bool enough = false;
  RetryLoop tries(*stubs_->channel, kWatchRetries, std::chrono::milliseconds(0));
  absl::Status status;
  do {
    grpc::ClientContext context;
    if (cancel != nullptr) cancel->state_->Attach(&context);
    auto reader = stubs_->job->Watch(&context, request);
    v1::WatchJobResponse response;
    while (!enough && reader->Read(&response)) {
      tries.Progressed();
      enough = !on_status(response.status());
    }
    if (enough) context.TryCancel();
    status = CallStatus(reader->Finish());
    if (cancel != nullptr) cancel->state_->Attach(nullptr);
  } while (!enough && !(cancel != nullptr && cancel->cancelled()) && tries.Again(status));
  return enough ? absl::OkStatus() : status;
}

absl::Status Client::StopJob(absl::string_view job) {
  v1::StopJobRequest request;
  request.set_job(std::string(job));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kStopDeadline);
  v1::StopJobResponse response;
  return CallStatus(stubs_->job->Stop(&context, request, &response));
}

absl::StatusOr<uint64_t> Client::RestartJob(absl::string_view job, uint64_t checkpoint_epoch,
                                            absl::string_view request_id) {
  v1::RestartJobRequest request;
  request.set_job(std::string(job));
  request.set_checkpoint_epoch(checkpoint_epoch);
  request.set_request_id(std::string(request_id));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kStopDeadline);
  v1::RestartJobResponse response;
  MR_RETURN_IF_ERROR(CallStatus(stubs_->job->Restart(&context, request, &response)));
  return response.restored_epoch();
}

absl::Status Client::CancelJob(absl::string_view job) {
  v1::CancelJobRequest request;
  request.set_job(std::string(job));
  grpc::ClientContext context;
  SetUnaryDeadline(context);
  v1::CancelJobResponse response;
  return CallStatus(stubs_->job->Cancel(&context, request, &response));
}

absl::StatusOr<std::string> Client::GetJobPlan(absl::string_view job) {
  v1::GetJobPlanRequest request;
  request.set_job(std::string(job));
  grpc::ClientContext context;
  SetUnaryDeadline(context);
  v1::GetJobPlanResponse response;
  MR_RETURN_IF_ERROR(CallStatus(stubs_->job->GetPlan(&context, request, &response)));
  return response.text();
}

absl::StatusOr<std::vector<v1::JobCheckpoint>> Client::ListCheckpoints(absl::string_view job) {
  v1::ListCheckpointsRequest request;
  request.set_job(std::string(job));
  grpc::ClientContext context;
  SetUnaryDeadline(context);
  v1::ListCheckpointsResponse response;
  MR_RETURN_IF_ERROR(CallStatus(stubs_->checkpoint->List(&context, request, &response)));
  return std::vector<v1::JobCheckpoint>(response.checkpoints().begin(),
                                        response.checkpoints().end());
}

absl::StatusOr<std::vector<v1::JobCheckpoint>> Client::CreateCheckpoint(absl::string_view job) {
  v1::CreateCheckpointRequest request;
  request.set_job(std::string(job));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kStopDeadline);
  v1::CreateCheckpointResponse response;
  MR_RETURN_IF_ERROR(CallStatus(stubs_->checkpoint->Create(&context, request, &response)));
  return std::vector<v1::JobCheckpoint>(response.checkpoints().begin(),
                                        response.checkpoints().end());
}

absl::StatusOr<v1::InspectCheckpointResponse> Client::InspectCheckpoint(
    const v1::InspectCheckpointRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kStopDeadline);
  v1::InspectCheckpointResponse response;
  MR_RETURN_IF_ERROR(CallStatus(stubs_->checkpoint->Inspect(&context, request, &response)));
  return response;
}

absl::StatusOr<std::vector<v1::WorkerStatus>> Client::ListWorkers() {
  grpc::ClientContext context;
  SetUnaryDeadline(context);
  v1::ListWorkersResponse response;
  MR_RETURN_IF_ERROR(CallStatus(stubs_->cluster->ListWorkers(&context, {}, &response)));
  return std::vector<v1::WorkerStatus>(response.workers().begin(), response.workers().end());
}

absl::Status Client::DrainWorker(absl::string_view worker) {
  v1::DrainWorkerRequest request;
  request.set_worker(std::string(worker));
  grpc::ClientContext context;
  SetUnaryDeadline(context);
  v1::DrainWorkerResponse response;
  return CallStatus(stubs_->cluster->DrainWorker(&context, request, &response));
}

}  // namespace millrace
