#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/error.h"
#include "millrace/job.h"
#include "millrace/row_stream.h"

namespace millrace {

struct ConnectionOptions {
  // host:port of a coordinator's client port. Empty = $MILLRACE_SERVER, without that
  // 127.0.0.1:7461.
  std::string server = {};
  // How long Open waits for the coordinator to answer.
  std::chrono::milliseconds connect_timeout{5'000};
  // Deadline of each call that has no timeout of its own; what is sent again has what is left.
  std::chrono::milliseconds call_timeout{30'000};
  // How often a call is sent again, with growing pauses, when the connection breaks or the cluster
  // says that this can help. 0 = never.
  int retries = 6;
};

// How a text of statements is run.
struct StatementOptions {
  // Of the whole call, with the reading of its rows. 0 = none: the call ends with its statements,
  // by Cancel, or within half a minute when the server is gone.
  std::chrono::milliseconds timeout{0};
  // Settings for this call, above those of the connection.
  std::map<std::string, std::string> settings = {};
  // Folder against which relative paths in statements are resolved; empty = the server's own.
  std::string working_directory = {};
  // The same id with the same request (text and working directory; of a job also name and settings,
  // those of the connection too) does nothing twice, also from another process and after a restart
  // of the cluster; with another one it is an error (22023). At most 256 bytes; empty = the
  // connection makes one for each call.
  std::string request_id = {};
};

struct SubmitOptions {
  // Unique among running jobs; empty = chosen by the cluster.
  std::string name = {};
  std::map<std::string, std::string> settings = {};
  std::string working_directory = {};
  // As in StatementOptions.
  std::string request_id = {};
};

struct RestartOptions {
  // Epoch of a checkpoint that is kept; 0 = the newest.
  uint64_t checkpoint_epoch = 0;
  // As in StatementOptions.
  std::string request_id = {};
};

// What one statement has done.
struct StatementOutcome {
  // "SELECT", "CREATE TABLE", "INSERT".
  std::string tag;
  // Returned or stored.
  uint64_t rows = 0;
  // The streaming job that it has created, if it has.
  std::string job_id;
  std::vector<Notice> notices;
};

// A session on a Millrace cluster over gRPC. Calls block and are thread-safe; SET statements hold
// for the calls that begin after them.
//
// Every call has a deadline (57014 when it passes) and fails with 08006 when the cluster cannot be
// reached. Calls are sent again as ConnectionOptions::retries says, and nothing is done twice by
// that: what changes something carries a request id, by which the cluster knows it again.
class Connection {
 public:
  // Connects and asks for the version. 08006 if nobody answers in time, 22023 for an address that
  // is none.
  static Result<std::unique_ptr<Connection>> Open(const ConnectionOptions& options = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs the statements of `sql` (UTF-8, at most 1 MiB) up to the first error; rows that they give
  // back are dropped. What was done before the error stays. One outcome for each statement.
  Result<std::vector<StatementOutcome>> Run(std::string_view sql,
                                            const StatementOptions& options = {});
  // Runs the statements of `sql`, of which one gives back rows: returns when their columns are
  // known, and is not sent again after that. Several result sets are an error (0A000),
  // told when the second one begins.
  Result<std::unique_ptr<RowStream>> Query(std::string_view sql,
                                           const StatementOptions& options = {});

  // Starts a script as one job that does not need this connection any more; returns its id. A
  // script that does not parse is an error; what else is wrong with its statements is in the job's
  // status.
  Result<std::string> SubmitJob(std::string_view sql, const SubmitOptions& options = {});

  // `job`, here and below: an id, a name, or the name of a view that the job keeps; 42704 if there
  // is none.
  Result<JobStatus> GetJob(std::string_view job);
  // Newest first, at most 100.
  Result<std::vector<JobStatus>> ListJobs();
  // Calls `on_status` on this thread with the status now and after each change, at most five times
  // a second, until the job is at its end, `on_status` returns false, or `timeout` has passed
  // (57014). Begins again by itself when the connection breaks. 0 = no timeout.
  Result<void> WatchJob(std::string_view job,
                        const std::function<bool(const JobStatus&)>& on_status,
                        std::chrono::milliseconds timeout = {});
  // The status at the job's end, whichever that is. 0 = no timeout.
  Result<JobStatus> WaitForJob(std::string_view job, std::chrono::milliseconds timeout = {});
  // Drains the job and takes a final checkpoint; returns when that is durable. The views stay
  // readable. Repeating it does no harm. Its deadline is 11 minutes.
  Result<void> StopJob(std::string_view job);
  // A stopped or failed job goes on from a checkpoint; a running one is stopped first. Returns the
  // epoch from which it goes on, 0 = from the beginning. 55000 if the job has finished or was
  // cancelled, 42704 if the checkpoint is not kept. Its deadline is 11 minutes.
  Result<uint64_t> RestartJob(std::string_view job, const RestartOptions& options = {});
  // Makes a checkpoint of each streaming job of a job, and returns when they are durable. Sent
  // again it makes others, which does no harm. Its deadline is 11 minutes.
  Result<std::vector<JobCheckpoint>> CreateCheckpoint(std::string_view job);
  // Those that are kept, newest first; of all jobs if `job` is empty.
  Result<std::vector<JobCheckpoint>> ListCheckpoints(std::string_view job = {});
  // Ends the job at once; its views can no longer be read. Repeating it does no harm.
  Result<void> CancelJob(std::string_view job);
  // The physical plan of the job's streams as text, one line for each operator.
  Result<std::string> GetJobPlan(std::string_view job);

  // By id, also lost ones.
  Result<std::vector<WorkerStatus>> ListWorkers();

  // Version of the coordinator that has answered Open.
  const std::string& server_version() const;

 private:
  friend class RowStream;
  class Session;
  explicit Connection(std::shared_ptr<Session> session);

  const std::shared_ptr<Session> session_;
};

}  // namespace millrace
