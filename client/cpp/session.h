#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/result_decoder.h"
#include "common/base/mutex.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"
#include "millrace/connection.h"
#include "millrace/v1/checkpoint_service.grpc.pb.h"
#include "millrace/v1/cluster_service.grpc.pb.h"
#include "millrace/v1/job_service.grpc.pb.h"
#include "millrace/v1/sql_service.grpc.pb.h"

namespace millrace {

// What a connection and its streams share. Thread-safe.
class Connection::Session {
 public:
  Session(const ConnectionOptions& options, std::shared_ptr<grpc::Channel> channel);

  const ConnectionOptions& options() const { return options_; }
  grpc::Channel& channel() { return *channel_; }
  v1::SqlService::Stub& sql() { return *sql_; }
  v1::JobService::Stub& job() { return *job_; }
  v1::CheckpointService::Stub& checkpoint() { return *checkpoint_; }
  v1::ClusterService::Stub& cluster() { return *cluster_; }

  // With the settings of the session, and a request id.
  v1::ExecuteRequest MakeRequest(std::string_view sql, const StatementOptions& options);
  v1::SubmitJobRequest MakeRequest(std::string_view sql, const SubmitOptions& options);
  void KeepSetting(const v1::SettingChanged& changed);

  void set_server_version(std::string version) { server_version_ = std::move(version); }
  const std::string& server_version() const { return server_version_; }

 private:
  const ConnectionOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::SqlService::Stub> sql_;
  const std::unique_ptr<v1::JobService::Stub> job_;
  const std::unique_ptr<v1::CheckpointService::Stub> checkpoint_;
  const std::unique_ptr<v1::ClusterService::Stub> cluster_;
  // Set before anybody else has the session.
  std::string server_version_;

  Mutex mutex_;
  std::map<std::string, std::string> settings_ ABSL_GUARDED_BY(mutex_);
};

// One Execute call that is read message by message. Used by one thread, apart from Cancel.
class RowStream::Call {
 public:
  Call(std::shared_ptr<Connection::Session> session, v1::ExecuteRequest request,
       const StatementOptions& options);
  ~Call();

  // Sends the request, again if that can help, and reads up to the columns of a result set, or to
  // the end.
  absl::Status Begin();
  // Null at the end.
  absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> Next();
  void Cancel();

  const std::shared_ptr<arrow::Schema>& schema() const { return decoder_.arrow_schema(); }
  const std::vector<Notice>& notices() const { return notices_; }
  const std::vector<StatementOutcome>& outcomes() const { return outcomes_; }
  // Rows are read and dropped, of any number of result sets.
  void DropRows() { drop_rows_ = true; }

 private:
  enum class Event { kSchema, kBatch, kOther, kEnd };

  void Open(std::chrono::milliseconds timeout);
  absl::StatusOr<Event> Read();
  absl::StatusOr<Event> OnMessage();
  // Ends the gRPC call; returns how it has ended.
  absl::Status Close();

  const std::shared_ptr<Connection::Session> session_;
  const v1::ExecuteRequest request_;
  const std::chrono::milliseconds timeout_;
  std::unique_ptr<grpc::ClientReader<v1::ExecuteResponse>> reader_;
  v1::ExecuteResponse response_;
  ResultDecoder decoder_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::vector<Notice> notices_;
  std::vector<StatementOutcome> outcomes_;
  bool drop_rows_ = false;
  bool ended_ = false;
  absl::Status end_;

  Mutex mutex_;
  std::unique_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
