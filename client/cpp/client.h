#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cpp/statement_handler.h"

namespace millrace {

namespace v1 {
class InspectCheckpointRequest;
class InspectCheckpointResponse;
class JobCheckpoint;
class JobStatus;
class WorkerStatus;
}  // namespace v1

struct ClientOptions {
  // host:port of a coordinator's client port.
  std::string server = "127.0.0.1:7461";
  // How long Connect waits for the server to answer.
  int64_t connect_timeout_ms = 5000;
};

struct ExecuteOptions {
  // An error of one statement is reported to the handler, and the next one runs.
  bool keep_going = false;
  // Settings that SET statements of earlier calls have changed.
  std::map<std::string, std::string> settings;
  // Folder against which relative paths in statements are resolved; empty = the server's own.
  std::string working_directory;
  // Makes creations idempotent; empty = none.
  std::string request_id;
};

// Lets another thread, or a signal handler's thread, end a call. Sticky: a cancelled token cancels
// every later call too.
class CancelToken {
 public:
  CancelToken();
  ~CancelToken();
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  // Thread-safe, idempotent; not for use inside a signal handler.
  void Cancel();
  bool cancelled() const;

 private:
  friend class Client;
  struct State;
  std::shared_ptr<State> state_;
};

// A connection to a Millrace cluster over millrace.v1. Thread-safe; calls block. Errors carry an
// ErrorDetail (common/base/status.h): SQLSTATE, position, hint, blame, retry advice; a server that
// cannot be reached is 08006.
class Client {
 public:
  // Connects and asks for the version; 08006 if nobody answers in time, 22023 for an address that
  // is none.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& options);
  ~Client();

  // Runs one or more statements; the handler is called on this thread, in order. Returns the first
  // error (with keep_going: only errors of the call itself). Cancelling gives 57014.
  absl::Status Execute(absl::string_view sql, const ExecuteOptions& options,
                       StatementHandler& handler, CancelToken* cancel = nullptr);

  // Starts a script as one job; returns its id. Retrying with the same request_id starts nothing
  // twice.
  absl::StatusOr<std::string> SubmitJob(absl::string_view sql, absl::string_view name,
                                        const ExecuteOptions& options);
  // `job` is an id or a name, here and below; 42704 if there is none.
  absl::StatusOr<v1::JobStatus> GetJob(absl::string_view job);
  // The newest `limit`, newest first, without tasks.
  absl::StatusOr<std::vector<v1::JobStatus>> ListJobs(uint32_t limit);
  // Calls `on_status` now and after each change until the job is at its end or `on_status` returns
  // false. Goes on when the coordinator is away for less than about a minute.
  absl::Status WatchJob(absl::string_view job,
                        const std::function<bool(const v1::JobStatus&)>& on_status,
                        CancelToken* cancel = nullptr);
  absl::Status StopJob(absl::string_view job);
  // Goes on with a stopped or failed job from the checkpoint of an epoch that is kept (0 = the
  // newest); a running one is stopped first. Retrying with the same request_id restarts once.
  // Returns the epoch from which it goes on; 0 = from the beginning.
  absl::StatusOr<uint64_t> RestartJob(absl::string_view job, uint64_t checkpoint_epoch = 0,
                                      absl::string_view request_id = "");
  absl::Status CancelJob(absl::string_view job);
  absl::StatusOr<std::string> GetJobPlan(absl::string_view job);
  // Those that are kept, newest first; of all jobs if `job` is empty.
  absl::StatusOr<std::vector<v1::JobCheckpoint>> ListCheckpoints(absl::string_view job);
  // Returns when they are durable: one for each streaming job of the script.
  absl::StatusOr<std::vector<v1::JobCheckpoint>> CreateCheckpoint(absl::string_view job);
  absl::StatusOr<v1::InspectCheckpointResponse> InspectCheckpoint(
      const v1::InspectCheckpointRequest& request);

  absl::StatusOr<std::vector<v1::WorkerStatus>> ListWorkers();
  // Asks a worker (id or name) to leave in good order; returns at once. Harmless if repeated.
  absl::Status DrainWorker(absl::string_view worker);

  const std::string& server_version() const { return server_version_; }

 private:
  struct Stubs;
  Client();

  std::unique_ptr<Stubs> stubs_;
  std::string server_version_;
};

}  // namespace millrace
