#pragma once

#include "absl/strings/string_view.h"
#include "coordinator/job/cancellation.h"
#include "coordinator/job/script_jobs.h"
#include "coordinator/job/statement_threads.h"
#include "coordinator/service/cluster_parts.h"
#include "millrace/v1/job_service.grpc.pb.h"

namespace millrace {

// JobService. Calls that wait run on threads of their own: those that watch, which may stay for as
// long as a job does, on `watchers`, all others on `calls`.
class JobService final : public v1::JobService::CallbackService {
 public:
  JobService(ClusterParts& parts, ScriptJobs& scripts, StatementThreads& watchers,
             StatementThreads& calls)
      : parts_(parts), scripts_(scripts), watchers_(watchers), calls_(calls) {}

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const v1::SubmitJobRequest* request,
                                   v1::SubmitJobResponse* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const v1::GetJobRequest* request,
                                v1::GetJobResponse* response) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListJobsRequest* request,
                                 v1::ListJobsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchJobResponse>* Watch(
      grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* Stop(grpc::CallbackServerContext* context,
                                 const v1::StopJobRequest* request,
                                 v1::StopJobResponse* response) override;
  grpc::ServerUnaryReactor* Restart(grpc::CallbackServerContext* context,
                                    const v1::RestartJobRequest* request,
                                    v1::RestartJobResponse* response) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context,
                                   const v1::CancelJobRequest* request,
                                   v1::CancelJobResponse* response) override;
  grpc::ServerUnaryReactor* GetPlan(grpc::CallbackServerContext* context,
                                    const v1::GetJobPlanRequest* request,
                                    v1::GetJobPlanResponse* response) override;

 private:
  void SetTimeout(int64_t micros, absl::string_view reason, Cancellation& waiter) const;

  ClusterParts& parts_;
  ScriptJobs& scripts_;
  StatementThreads& watchers_;
  StatementThreads& calls_;
};

}  // namespace millrace
