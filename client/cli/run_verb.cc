#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "client/cli/error_text.h"
#include "client/cli/interrupt.h"
#include "client/cli/private_cluster.h"
#include "client/cli/script_file.h"
#include "client/cli/statement_runner.h"
#include "client/cli/verbs.h"
#include "common/base/status.h"

namespace millrace {
namespace {

struct RunFlags {
  std::string file;
  std::string sql;
  std::string format = "table";
  int workers = 2;
  int slots = 0;
  bool keep_going = false;
};

ExitCode ReportError(const absl::Status& status) {
  std::fputs(ErrorText(status, "").c_str(), stderr);
  return CallExitCode(status);
}

ExitCode Run(const RunFlags& flags) {
  if (flags.file.empty() == flags.sql.empty()) {
    std::fputs("millrace run: name a script file, or give statements with -e\n", stderr);
    return ExitCode::kUsage;
  }
  auto format = ParseOutputFormat(flags.format);
  if (!format.ok()) {
    std::fputs(ErrorText(format.status(), "").c_str(), stderr);
    return ExitCode::kUsage;
  }
  std::string sql = flags.sql;
  if (!flags.file.empty()) {
    auto text = ReadScript(flags.file);
    if (!text.ok()) return ReportError(text.status());
    sql = *std::move(text);
  }
  CancelToken cancel;
  InterruptWatcher watcher([&cancel] { cancel.Cancel(); });
  PrivateClusterOptions options;
  options.num_workers = flags.workers;
  options.slots_per_worker = flags.slots;
  auto cluster = PrivateCluster::Start(options);
  if (watcher.interrupted()) return ExitCode::kInterrupted;
  if (!cluster.ok()) return ReportError(cluster.status());
  auto client = Client::Connect({.server = (*cluster)->client_address()});
  if (!client.ok()) return ReportError(client.status());
  StatementRunner runner(**client, {.format = *format, .keep_going = flags.keep_going});
  return runner.Run(sql, &cancel);
}

}  // namespace

void AddRunVerb(CLI::App& app, ExitCode* exit_code) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* verb = app.add_subcommand(
      "run", "Run a script on a private cluster that ends with it, and print its results");
  verb->add_option("file", flags->file, "Script; - for standard input");
  verb->add_option("-e,--execute", flags->sql, "Statements to run instead of a file");
  verb->add_option("-o,--output", flags->format, "table, csv, json or jsonl")
      ->capture_default_str();
  verb->add_option("--workers", flags->workers, "Worker processes")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  verb->add_option("--slots", flags->slots, "Slots of each worker; 0 shares the cores")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  verb->add_flag("--keep-going", flags->keep_going,
                 "Print an error in its place and go on with the next statement");
  verb->callback([flags, exit_code] { *exit_code = Run(*flags); });
}

}  // namespace millrace
