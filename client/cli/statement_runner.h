#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "client/cli/exit_code.h"
#include "client/cli/result_printer.h"
#include "client/cpp/client.h"

namespace millrace {

struct StatementRunnerOptions {
  OutputFormat format = OutputFormat::kTable;
  bool keep_going = false;
  // One line on stderr for each statement that stores something: tag, rows, job.
  bool show_tags = false;
};

// Sends statements to a server and prints what comes back: rows on stdout, all else on stderr.
// Keeps the session's settings between calls.
class StatementRunner {
 public:
  StatementRunner(Client& client, const StatementRunnerOptions& options);
  ~StatementRunner();

  // Runs all statements of `sql`; errors are printed with a caret into `sql`.
  ExitCode Run(absl::string_view sql, CancelToken* cancel);

 private:
  class Handler;

  Client& client_;
  const StatementRunnerOptions options_;
  std::unique_ptr<ResultPrinter> printer_;
  std::map<std::string, std::string> settings_;
};

}  // namespace millrace
