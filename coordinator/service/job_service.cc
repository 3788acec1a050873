#include "coordinator/service/job_service.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "common/storage/checksum.h"
#include "coordinator/planner/explain.h"
#include "coordinator/service/blocking_writer.h"
#include "coordinator/service/find_job.h"
#include "coordinator/service/job_status.h"
#include "coordinator/service/request_limits.h"
#include "coordinator/sql/parser.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

constexpr std::chrono::milliseconds kWatchInterval(200);
constexpr std::chrono::seconds kWatchStallTimeout(60);
// A job that is asked to stop gets this long to drain.
constexpr int64_t kStopTimeoutMicros = int64_t{10} * 60 * 1'000'000;
// A statement ends within a second of its cancellation, unless a disk does not answer.
constexpr int64_t kCancelTimeoutMicros = int64_t{60} * 1'000'000;
constexpr uint32_t kListDefault = 100;

grpc::ServerUnaryReactor* ReplyJob(grpc::CallbackServerContext* context,
                                   const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

// In a fixed order, and with lengths, so that no two requests look the same.
uint64_t ChecksumOf(const v1::SubmitJobRequest& request) {
  std::string text;
  const auto add = [&text](const std::string& part) {
    absl::StrAppend(&text, part.size(), ":", part);
  };
  add(request.sql());
  add(request.name());
  add(request.working_directory());
  const std::map<std::string, std::string> settings(request.settings().begin(),
                                                    request.settings().end());
  for (const auto& [name, value] : settings) {
    add(name);
    add(value);
  }
  return Xxh3(text);
}

bool AtItsEnd(const v1::JobStatus& status) {
  return status.state() != v1::JOB_STATE_CREATED && status.state() != v1::JOB_STATE_RUNNING;
}

absl::Status WatchUntilEnd(const std::string& job, const ClusterParts& parts,
                           BlockingWriter<v1::WatchJobResponse>& writer) {
  MR_ASSIGN_OR_RETURN(const v1::JobRecord found, FindJob(job, parts));
  std::string last;
  uint64_t seen = 0;
  while (true) {
    const std::optional<v1::JobRecord> record = parts.job_store.Get(found.id());
    if (!record.has_value()) return absl::OkStatus();  // Dropped meanwhile.
    v1::WatchJobResponse response;
    *response.mutable_status() = StatusOfJob(*record, parts);
    const bool at_end = AtItsEnd(response.status());
    // The time alone is no change.
    const int64_t now_micros = response.status().now_micros();
    response.mutable_status()->clear_now_micros();
    std::string now = response.SerializeAsString();
    response.mutable_status()->set_now_micros(now_micros);
    if (now != last) {
      MR_RETURN_IF_ERROR(writer.Write(std::move(response)));
      last = std::move(now);
    }
    if (at_end) return absl::OkStatus();
    // A change of a record is told at once; counters come with heartbeats.
    seen = parts.job_store.AwaitChange(seen, kWatchInterval);
    MR_RETURN_IF_ERROR(writer.cancellation().status());
  }
}

}  // namespace

grpc::ServerUnaryReactor* JobService::Submit(grpc::CallbackServerContext* context,
                                             const v1::SubmitJobRequest* request,
                                             v1::SubmitJobResponse* response) {
  const auto submit = [&]() -> absl::Status {
    MR_RETURN_IF_ERROR(CheckSqlSize(request->sql()));
    MR_RETURN_IF_ERROR(CheckJobName(request->name()));
    MR_RETURN_IF_ERROR(CheckRequestId(request->request_id()));
    // Nothing of a script runs if it cannot be read to its end.
    MR_RETURN_IF_ERROR(CheckSyntax(request->sql()));
    v1::JobRecord record;
    record.set_sql(request->sql());
    record.set_name(request->name());
    record.set_request_id(request->request_id());
    record.set_request_xxh3(ChecksumOf(*request));
    *record.mutable_settings() = request->settings();
    MR_ASSIGN_OR_RETURN(*record.mutable_working_directory(),
                        CheckWorkingDirectory(request->working_directory()));
    MR_ASSIGN_OR_RETURN(const v1::JobRecord created, scripts_.Submit(std::move(record)));
    response->set_job_id(absl::StrCat(created.id()));
    response->set_name(created.name());
    return absl::OkStatus();
  };
  return ReplyJob(context, submit());
}

grpc::ServerUnaryReactor* JobService::Get(grpc::CallbackServerContext* context,
                                          const v1::GetJobRequest* request,
                                          v1::GetJobResponse* response) {
  const absl::StatusOr<v1::JobRecord> record = FindJob(request->job(), parts_);
  if (record.ok()) *response->mutable_status() = StatusOfJob(*record, parts_);
  return ReplyJob(context, record.status());
}

grpc::ServerUnaryReactor* JobService::List(grpc::CallbackServerContext* context,
                                           const v1::ListJobsRequest* request,
                                           v1::ListJobsResponse* response) {
  const uint32_t limit = request->limit() == 0 ? kListDefault : request->limit();
  for (const v1::JobRecord& record : parts_.job_store.List()) {
    if (static_cast<uint32_t>(response->jobs_size()) >= limit) break;
    if (record.parent_job_id() != 0) continue;  // Part of a script, which is one job.
    v1::JobStatus* status = response->add_jobs();
    *status = StatusOfJob(record, parts_);
    status->clear_tasks();
  }
  return ReplyJob(context, absl::OkStatus());
}

grpc::ServerWriteReactor<v1::WatchJobResponse>* JobService::Watch(
    grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) {
  auto writer = std::make_shared<BlockingWriter<v1::WatchJobResponse>>(
      *context, StallLimit{kWatchStallTimeout, "the client has taken no status of the job", ""});
  grpc::ServerWriteReactor<v1::WatchJobResponse>* reactor = writer->Begin();
  const absl::Status started = watchers_.Run(
      [this, writer, job = request->job()] { writer->End(WatchUntilEnd(job, parts_, *writer)); });
  if (!started.ok()) writer->End(started);
  return reactor;
}

grpc::ServerUnaryReactor* JobService::Stop(grpc::CallbackServerContext* context,
                                           const v1::StopJobRequest* request,
                                           v1::StopJobResponse*) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto stop = [this, reactor, job = request->job()] {
    Cancellation waiter;
    SetTimeout(kStopTimeoutMicros, "the job has not stopped in time", waiter);
    const absl::StatusOr<v1::JobRecord> record = FindJob(job, parts_);
    absl::Status status = record.status();
    if (status.ok()) {
      status = record->streaming() ? parts_.streams.Stop(record->id(), waiter)
                                   : scripts_.Stop(record->id(), waiter);
    }
    reactor->Finish(ToGrpcStatus(status));
  };
  const absl::Status started = calls_.Run(stop);
  if (!started.ok()) reactor->Finish(ToGrpcStatus(started));
  return reactor;
}

grpc::ServerUnaryReactor* JobService::Restart(grpc::CallbackServerContext* context,
                                              const v1::RestartJobRequest* request,
                                              v1::RestartJobResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto restart = [this, reactor, response, wanted = *request] {
    Cancellation waiter;
    SetTimeout(kStopTimeoutMicros, "the job has not stopped in time", waiter);
    const absl::StatusOr<v1::JobRecord> record = FindJob(wanted.job(), parts_);
    if (!record.ok()) return reactor->Finish(ToGrpcStatus(record.status()));
    const absl::Status request_id = CheckRequestId(wanted.request_id());
    if (!request_id.ok()) return reactor->Finish(ToGrpcStatus(request_id));
    const RestartRequest asked{record->id(), wanted.checkpoint_epoch(), wanted.request_id()};
    const absl::StatusOr<RestartAnswer> answer = record->streaming()
                                                     ? scripts_.RestartStream(asked, waiter)
                                                     : scripts_.Restart(asked, waiter);
    if (answer.ok()) {
      response->set_attempt(answer->attempt);
      response->set_restored_epoch(answer->restored_epoch);
    }
    reactor->Finish(ToGrpcStatus(answer.status()));
  };
  const absl::Status started = calls_.Run(restart);
  if (!started.ok()) reactor->Finish(ToGrpcStatus(started));
  return reactor;
}

void JobService::SetTimeout(int64_t micros, absl::string_view reason, Cancellation& waiter) const {
  waiter.SetDeadline(parts_.clock.MonotonicMicros() + micros,
                     MakeError(SqlState::kQueryCanceled, reason));
}

grpc::ServerUnaryReactor* JobService::Cancel(grpc::CallbackServerContext* context,
                                             const v1::CancelJobRequest* request,
                                             v1::CancelJobResponse*) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto cancel = [this, reactor, job = request->job()] {
    const absl::StatusOr<v1::JobRecord> record = FindJob(job, parts_);
    absl::Status status = record.status();
    Cancellation waiter;
    SetTimeout(kCancelTimeoutMicros, "the job's statement has not ended in time", waiter);
    if (status.ok()) {
      status = record->streaming() ? parts_.streams.Cancel(record->id(), CancelledByUser())
                                   : scripts_.Cancel(record->id(), waiter);
    }
    reactor->Finish(ToGrpcStatus(status));
  };
  const absl::Status started = calls_.Run(cancel);
  if (!started.ok()) reactor->Finish(ToGrpcStatus(started));
  return reactor;
}

grpc::ServerUnaryReactor* JobService::GetPlan(grpc::CallbackServerContext* context,
                                              const v1::GetJobPlanRequest* request,
                                              v1::GetJobPlanResponse* response) {
  const absl::StatusOr<v1::JobRecord> record = FindJob(request->job(), parts_);
  if (!record.ok()) return ReplyJob(context, record.status());
  std::string text;
  for (const StreamView& stream : parts_.streams.Views()) {
    const std::optional<v1::JobRecord> owner = parts_.job_store.Get(stream.job_id);
    const bool child = owner.has_value() && owner->parent_job_id() == record->id();
    if (stream.job_id != record->id() && !child) continue;
    absl::StrAppend(&text, ExplainText(*stream.plan, stream.tasks));
  }
  response->set_text(std::move(text));
  return ReplyJob(context, absl::OkStatus());
}

}  // namespace millrace
