#include "coordinator/service/checkpoint_service.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "coordinator/service/checkpoint_details.h"
#include "coordinator/service/find_job.h"

namespace millrace {
namespace {

// A checkpoint of much state takes its time.
constexpr std::chrono::minutes kCreateTimeout(10);

void AddCheckpoint(const v1::JobRecord& job, const v1::CheckpointSummary& checkpoint,
                   v1::JobCheckpoint* out) {
  out->set_job_id(absl::StrCat(job.id()));
  out->set_job_name(job.name());
  *out->mutable_checkpoint() = checkpoint;
}

absl::StatusOr<std::vector<v1::JobRecord>> StreamsNamed(const std::string& job,
                                                        const ClusterParts& parts) {
  std::vector<v1::JobRecord> streams;
  if (job.empty()) {
    for (v1::JobRecord& record : parts.job_store.List()) {
      if (record.streaming()) streams.push_back(std::move(record));
    }
    return streams;
  }
  MR_ASSIGN_OR_RETURN(const v1::JobRecord record, FindJob(job, parts));
  return StreamsOfJob(record, parts.job_store);
}

absl::StatusOr<v1::JobRecord> OneStreamNamed(const std::string& job, const ClusterParts& parts) {
  MR_ASSIGN_OR_RETURN(const v1::JobRecord record, FindJob(job, parts));
  std::vector<v1::JobRecord> streams = StreamsOfJob(record, parts.job_store);
  if (streams.size() == 1) return std::move(streams[0]);
  std::string names;
  for (const v1::JobRecord& stream : streams) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", stream.name());
  }
  if (streams.empty()) {
    return MakeError(SqlState::kWrongObjectType,
                     absl::StrCat("job ", record.name(), " has no streaming job"));
  }
  return MakeError(SqlState::kWrongObjectType,
                   absl::StrCat("job ", record.name(), " has several streaming jobs"),
                   absl::StrCat("name one of them: ", names));
}

absl::Status CreateAll(const std::string& job, const ClusterParts& parts,
                       v1::CreateCheckpointResponse* response) {
  MR_ASSIGN_OR_RETURN(const std::vector<v1::JobRecord> streams, StreamsNamed(job, parts));
  if (streams.empty()) return OneStreamNamed(job, parts).status();
  Cancellation token;
  token.SetDeadline(
      parts.clock.MonotonicMicros() +
          std::chrono::duration_cast<std::chrono::microseconds>(kCreateTimeout).count(),
      MakeError(SqlState::kQueryCanceled, "the checkpoint was not complete in time"));
  for (const v1::JobRecord& stream : streams) {
    MR_ASSIGN_OR_RETURN(const v1::CheckpointSummary made,
                        parts.streams.Checkpoint(stream.id(), token));
    AddCheckpoint(stream, made, response->add_checkpoints());
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* CheckpointService::List(grpc::CallbackServerContext* context,
                                                  const v1::ListCheckpointsRequest* request,
                                                  v1::ListCheckpointsResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto streams = StreamsNamed(request->job(), parts_);
  if (streams.ok()) {
    for (const v1::JobRecord& stream : *streams) {
      const auto& kept = stream.checkpoints();
      for (auto it = kept.rbegin(); it != kept.rend(); ++it) {
        AddCheckpoint(stream, *it, response->add_checkpoints());
      }
    }
  }
  reactor->Finish(ToGrpcStatus(streams.status()));
  return reactor;
}

grpc::ServerUnaryReactor* CheckpointService::Create(grpc::CallbackServerContext* context,
                                                    const v1::CreateCheckpointRequest* request,
                                                    v1::CreateCheckpointResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::Status started = calls_.Run([this, reactor, response, job = request->job()] {
    if (job.empty()) {
      return reactor->Finish(ToGrpcStatus(
          MakeError(SqlState::kInvalidParameterValue, "name the job to make a checkpoint of")));
    }
    reactor->Finish(ToGrpcStatus(CreateAll(job, parts_, response)));
  });
  if (!started.ok()) reactor->Finish(ToGrpcStatus(started));
  return reactor;
}

grpc::ServerUnaryReactor* CheckpointService::Inspect(grpc::CallbackServerContext* context,
                                                     const v1::InspectCheckpointRequest* request,
                                                     v1::InspectCheckpointResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto inspect = [this, reactor, response, wanted = *request] {
    const absl::StatusOr<v1::JobRecord> job = OneStreamNamed(wanted.job(), parts_);
    absl::Status status = job.status();
    if (status.ok()) {
      const auto stream = parts_.streams.View(job->id());
      status = DescribeCheckpoint(*job, stream.has_value() ? stream->plan.get() : nullptr,
                                  checkpoints_, wanted, response);
    }
    if (status.ok()) {
      response->mutable_checkpoint()->set_job_id(absl::StrCat(job->id()));
      response->mutable_checkpoint()->set_job_name(job->name());
    }
    reactor->Finish(ToGrpcStatus(status));
  };
  const absl::Status started = calls_.Run(inspect);
  if (!started.ok()) reactor->Finish(ToGrpcStatus(started));
  return reactor;
}

}  // namespace millrace
