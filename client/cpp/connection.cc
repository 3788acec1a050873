#include "millrace/connection.h"

#include <grpcpp/channel.h>

#include <cstdlib>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/channel.h"
#include "client/cpp/public_form.h"
#include "client/cpp/session.h"
#include "common/base/status.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

constexpr char kDefaultServer[] = "127.0.0.1:7461";
// A server gives a job ten minutes to drain.
constexpr std::chrono::minutes kStopTimeout(11);

std::string RandomRequestId() {
  std::random_device device;
  std::string id = "cpp-";
  for (int i = 0; i < 4; ++i) absl::StrAppendFormat(&id, "%08x", device());
  return id;
}

std::string ServerOf(const ConnectionOptions& options) {
  if (!options.server.empty()) return options.server;
  const char* from_environment = std::getenv("MILLRACE_SERVER");
  return from_environment == nullptr ? kDefaultServer : from_environment;
}

// A protobuf string takes nothing else; gRPC would only say that the call is not implemented.
absl::Status CheckText(std::string_view sql) {
  if (IsValidText({sql.data(), sql.size()})) return absl::OkStatus();
  return MakeError(SqlState::kCharacterNotInRepertoire,
                   "the statement is not valid UTF-8, or holds a zero byte");
}

template <typename Request>
void FillRequest(std::string_view sql, const std::map<std::string, std::string>& settings,
                 const std::string& working_directory, const std::string& request_id,
                 Request* request) {
  request->set_sql(std::string(sql));
  for (const auto& [name, value] : settings) (*request->mutable_settings())[name] = value;
  request->set_working_directory(working_directory);
  request->set_request_id(request_id.empty() ? RandomRequestId() : request_id);
}

// One unary call, sent again as long as that can help. `call` makes one try.
template <typename Session, typename Call>
absl::Status Repeat(Session& session, std::chrono::milliseconds timeout, const Call& call) {
  RetryLoop tries(session.channel(), session.options().retries, timeout);
  absl::Status status;
  do {
    grpc::ClientContext context;
    SetTimeout(context, tries.left());
    status = CallStatus(call(context));
  } while (tries.Again(status));
  return status;
}

template <typename Checkpoints>
std::vector<JobCheckpoint> ToJobCheckpoints(const Checkpoints& checkpoints) {
  std::vector<JobCheckpoint> out;
  for (const v1::JobCheckpoint& checkpoint : checkpoints) {
    out.push_back(ToJobCheckpoint(checkpoint));
  }
  return out;
}

Result<void> ToResult(const absl::Status& status) {
  if (status.ok()) return {};
  return ToError(status);
}

}  // namespace

Connection::Session::Session(const ConnectionOptions& options,
                             std::shared_ptr<grpc::Channel> channel)
    : options_(options),
      channel_(std::move(channel)),
      sql_(v1::SqlService::NewStub(channel_)),
      job_(v1::JobService::NewStub(channel_)),
      checkpoint_(v1::CheckpointService::NewStub(channel_)),
      cluster_(v1::ClusterService::NewStub(channel_)) {}

v1::ExecuteRequest Connection::Session::MakeRequest(std::string_view sql,
                                                    const StatementOptions& options) {
  v1::ExecuteRequest request;
  MutexLock lock(mutex_);
  FillRequest(sql, settings_, options.working_directory, options.request_id, &request);
  for (const auto& [name, value] : options.settings) (*request.mutable_settings())[name] = value;
  return request;
}

v1::SubmitJobRequest Connection::Session::MakeRequest(std::string_view sql,
                                                      const SubmitOptions& options) {
  v1::SubmitJobRequest request;
  MutexLock lock(mutex_);
  FillRequest(sql, settings_, options.working_directory, options.request_id, &request);
  for (const auto& [name, value] : options.settings) (*request.mutable_settings())[name] = value;
  request.set_name(options.name);
  return request;
}

void Connection::Session::KeepSetting(const v1::SettingChanged& changed) {
  MutexLock lock(mutex_);
  if (changed.value().empty()) {
    settings_.erase(changed.name());
  } else {
    settings_[changed.name()] = changed.value();
  }
}

Connection::Connection(std::shared_ptr<Session> session) : session_(std::move(session)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::Open(const ConnectionOptions& options) {
  const std::string server = ServerOf(options);
  if (absl::Status valid = CheckServerAddress(server); !valid.ok()) return ToError(valid);
  auto session = std::make_shared<Session>(options, MakeClientChannel(server));
  grpc::ClientContext context;
  // Waits for a server that is just starting, too.
  context.set_wait_for_ready(true);
  SetTimeout(context, options.connect_timeout);
  v1::GetVersionResponse version;
  const absl::Status status =
      ConnectStatus(server, session->cluster().GetVersion(&context, {}, &version));
  if (!status.ok()) return ToError(status);
  session->set_server_version(version.version());
  return std::unique_ptr<Connection>(new Connection(std::move(session)));
}

const std::string& Connection::server_version() const { return session_->server_version(); }

Result<std::vector<StatementOutcome>> Connection::Run(std::string_view sql,
                                                      const StatementOptions& options) {
  if (absl::Status valid = CheckText(sql); !valid.ok()) return ToError(valid);
  RowStream::Call call(session_, session_->MakeRequest(sql, options), options);
  call.DropRows();
  if (absl::Status status = call.Begin(); !status.ok()) return ToError(status);
  return call.outcomes();
}

Result<std::unique_ptr<RowStream>> Connection::Query(std::string_view sql,
                                                     const StatementOptions& options) {
  if (absl::Status valid = CheckText(sql); !valid.ok()) return ToError(valid);
  auto call =
      std::make_unique<RowStream::Call>(session_, session_->MakeRequest(sql, options), options);
  if (absl::Status status = call->Begin(); !status.ok()) return ToError(status);
  return std::unique_ptr<RowStream>(new RowStream(std::move(call)));
}

Result<std::string> Connection::SubmitJob(std::string_view sql, const SubmitOptions& options) {
  if (absl::Status valid = CheckText(sql); !valid.ok()) return ToError(valid);
  const v1::SubmitJobRequest request = session_->MakeRequest(sql, options);
  v1::SubmitJobResponse response;
  const absl::Status status =
      Repeat(*session_, session_->options().call_timeout, [&](grpc::ClientContext& context) {
        return session_->job().Submit(&context, request, &response);
      });
  if (!status.ok()) return ToError(status);
  return response.job_id();
}

Result<JobStatus> Connection::GetJob(std::string_view job) {
  v1::GetJobRequest request;
  request.set_job(std::string(job));
  v1::GetJobResponse response;
  const absl::Status status =
      Repeat(*session_, session_->options().call_timeout, [&](grpc::ClientContext& context) {
        return session_->job().Get(&context, request, &response);
      });
  if (!status.ok()) return ToError(status);
  return ToJobStatus(response.status());
}

Result<std::vector<JobStatus>> Connection::ListJobs() {
  v1::ListJobsResponse response;
  const absl::Status status = Repeat(
      *session_, session_->options().call_timeout,
      [&](grpc::ClientContext& context) { return session_->job().List(&context, {}, &response); });
  if (!status.ok()) return ToError(status);
  std::vector<JobStatus> jobs;
  for (const v1::JobStatus& job : response.jobs()) jobs.push_back(ToJobStatus(job));
  return jobs;
}

Result<void> Connection::WatchJob(std::string_view job,
                                  const std::function<bool(const JobStatus&)>& on_status,
                                  std::chrono::milliseconds timeout) {
  v1::WatchJobRequest request;
  request.set_job(std::string(job));
  bool enough = false;
  RetryLoop tries(session_->channel(), session_->options().retries, timeout);
  absl::Status status;
  do {
    grpc::ClientContext context;
    SetTimeout(context, tries.left());
    auto reader = session_->job().Watch(&context, request);
    v1::WatchJobResponse response;
    while (!enough && reader->Read(&response)) {
      tries.Progressed();
      enough = !on_status(ToJobStatus(response.status()));
    }
    if (enough) context.TryCancel();
    status = CallStatus(reader->Finish());
  } while (!enough && tries.Again(status));
  return enough ? Result<void>() : ToResult(status);
}

Result<JobStatus> Connection::WaitForJob(std::string_view job, std::chrono::milliseconds timeout) {
  JobStatus last;
  const Result<void> watched = WatchJob(
      job,
      [&last](const JobStatus& now) {
        last = now;
        return !now.at_its_end();
      },
      timeout);
  if (!watched.ok()) return watched.error();
  return last;
}

Result<void> Connection::StopJob(std::string_view job) {
  v1::StopJobRequest request;
  request.set_job(std::string(job));
  v1::StopJobResponse response;
  return ToResult(Repeat(*session_, kStopTimeout, [&](grpc::ClientContext& context) {
    return session_->job().Stop(&context, request, &response);
  }));
}

Result<uint64_t> Connection::RestartJob(std::string_view job, const RestartOptions& options) {
  v1::RestartJobRequest request;
  request.set_job(std::string(job));
  request.set_checkpoint_epoch(options.checkpoint_epoch);
  request.set_request_id(options.request_id.empty() ? RandomRequestId() : options.request_id);
  v1::RestartJobResponse response;
  const absl::Status status = Repeat(*session_, kStopTimeout, [&](grpc::ClientContext& context) {
    return session_->job().Restart(&context, request, &response);
  });
  if (!status.ok()) return ToError(status);
  return response.restored_epoch();
}

Result<std::vector<JobCheckpoint>> Connection::CreateCheckpoint(std::string_view job) {
  v1::CreateCheckpointRequest request;
  request.set_job(std::string(job));
  v1::CreateCheckpointResponse response;
  const absl::Status status = Repeat(*session_, kStopTimeout, [&](grpc::ClientContext& context) {
    return session_->checkpoint().Create(&context, request, &response);
  });
  if (!status.ok()) return ToError(status);
  return ToJobCheckpoints(response.checkpoints());
}

Result<std::vector<JobCheckpoint>> Connection::ListCheckpoints(std::string_view job) {
  v1::ListCheckpointsRequest request;
  request.set_job(std::string(job));
  v1::ListCheckpointsResponse response;
  const absl::Status status =
      Repeat(*session_, session_->options().call_timeout, [&](grpc::ClientContext& context) {
        return session_->checkpoint().List(&context, request, &response);
      });
  if (!status.ok()) return ToError(status);
  return ToJobCheckpoints(response.checkpoints());
}

Result<void> Connection::CancelJob(std::string_view job) {
  v1::CancelJobRequest request;
  request.set_job(std::string(job));
  v1::CancelJobResponse response;
  return ToResult(
      Repeat(*session_, session_->options().call_timeout, [&](grpc::ClientContext& context) {
        return session_->job().Cancel(&context, request, &response);
      }));
}

Result<std::string> Connection::GetJobPlan(std::string_view job) {
  v1::GetJobPlanRequest request;
  request.set_job(std::string(job));
  v1::GetJobPlanResponse response;
  const absl::Status status =
      Repeat(*session_, session_->options().call_timeout, [&](grpc::ClientContext& context) {
        return session_->job().GetPlan(&context, request, &response);
      });
  if (!status.ok()) return ToError(status);
  return response.text();
}

Result<std::vector<WorkerStatus>> Connection::ListWorkers() {
  v1::ListWorkersResponse response;
  const absl::Status status =
      Repeat(*session_, session_->options().call_timeout, [&](grpc::ClientContext& context) {
        return session_->cluster().ListWorkers(&context, {}, &response);
      });
  if (!status.ok()) return ToError(status);
  std::vector<WorkerStatus> workers;
  for (const v1::WorkerStatus& worker : response.workers()) {
    workers.push_back(ToWorkerStatus(worker));
  }
  return workers;
}

}  // namespace millrace
