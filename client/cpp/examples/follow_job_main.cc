// Submits a script as a job, follows it to its end, and reads a result as Arrow batches.
//
//   millrace-client-example SCRIPT.sql 'SELECT …' [HOST:PORT]
//
// The job goes on when this program is ended; the query runs when the job is at its end.

#include <arrow/api.h>
#include <millrace/connection.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

namespace {

int Fail(const millrace::Error& error) {
  std::cerr << error.ToString() << "\n";
  return error.retry_safe ? 2 : 1;
}

// One line for each change; false ends the watching.
bool Report(const millrace::JobStatus& job) {
  std::cerr << "job " << job.id << " is " << millrace::ToString(job.state);
  for (const millrace::StepStatus& step : job.steps) {
    if (step.state == millrace::StepState::kRunning) {
      std::cerr << ", step " << step.index + 1 << " has read " << step.rows_in << " rows, "
                << static_cast<int64_t>(step.rows_in_per_second) << " a second";
    }
  }
  std::cerr << "\n";
  return true;
}

millrace::Result<int64_t> PrintRows(millrace::Connection& connection, const std::string& query) {
  auto rows = connection.Query(query, {.timeout = std::chrono::minutes(5)});
  if (!rows.ok()) return rows.error();
  int64_t num_rows = 0;
  while (true) {
    auto batch = (*rows)->Next();
    if (!batch.ok()) return batch.error();
    if (*batch == nullptr) return num_rows;
    num_rows += (*batch)->num_rows();
    std::cout << (*batch)->ToString();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: millrace-client-example SCRIPT.sql QUERY [HOST:PORT]\n";
    return 64;
  }
  std::ifstream file(argv[1]);
  const std::string script{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && script.empty()) {
    std::cerr << "cannot read " << argv[1] << "\n";
    return 66;
  }

  millrace::ConnectionOptions options;
  if (argc == 4) options.server = argv[3];  // Else $MILLRACE_SERVER, else the default port.
  auto connection = millrace::Connection::Open(options);
  if (!connection.ok()) return Fail(connection.error());

  // Without a request id of our own the connection makes one: sending it again starts nothing
  // twice.
  auto id = (*connection)->SubmitJob(script);
  if (!id.ok()) return Fail(id.error());
  millrace::JobStatus last;
  auto watched = (*connection)->WatchJob(*id, [&last](const millrace::JobStatus& job) {
    last = job;
    return Report(job) && !job.at_its_end();
  });
  if (!watched.ok()) return Fail(watched.error());
  if (last.state != millrace::JobState::kFinished) {
    if (last.error.has_value()) return Fail(*last.error);
    std::cerr << "the job has ended early\n";
    return 1;
  }

  auto num_rows = PrintRows(**connection, argv[2]);
  if (!num_rows.ok()) return Fail(num_rows.error());
  std::cerr << *num_rows << " rows\n";
  return 0;
}
