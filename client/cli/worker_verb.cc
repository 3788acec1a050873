#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "client/cli/error_text.h"
#include "client/cli/status_text.h"
#include "client/cli/verbs.h"
#include "client/cpp/client.h"
#include "millrace/v1/cluster_service.pb.h"

namespace millrace {
namespace {

ExitCode ListWorkers(const std::string& server, bool json) {
  auto client = Client::Connect({.server = server});
  if (!client.ok()) {
    std::fputs(ErrorText(client.status(), "").c_str(), stderr);
    return CallExitCode(client.status());
  }
  auto workers = (*client)->ListWorkers();
  if (!workers.ok()) {
    std::fputs(ErrorText(workers.status(), "").c_str(), stderr);
    return CallExitCode(workers.status());
  }
  for (const v1::WorkerStatus& worker : *workers) {
    if (json) std::fputs(MessageToJsonLine(worker).c_str(), stdout);
  }
  if (!json) std::fputs(WorkersText(*workers).c_str(), stdout);
  return ExitCode::kOk;
}

ExitCode DrainWorker(const std::string& server, const std::string& worker) {
  auto client = Client::Connect({.server = server});
  const absl::Status drained =
      client.ok() ? (*client)->DrainWorker(worker) : absl::Status(client.status());
  if (!drained.ok()) std::fputs(ErrorText(drained, "").c_str(), stderr);
  return CallExitCode(drained);
}

}  // namespace

void AddWorkerVerb(CLI::App& app, ExitCode* exit_code) {
  struct Flags {
    std::string server = kDefaultServer;
    bool json = false;
    std::string worker;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("worker", "Workers of a cluster");
  verb->require_subcommand(1);
  CLI::App* list = verb->add_subcommand("list", "All workers, also lost ones");
  AddServerOption(*list, &flags->server);
  list->add_flag("--json", flags->json, "One JSON object a line");
  list->callback([flags, exit_code] { *exit_code = ListWorkers(flags->server, flags->json); });
  CLI::App* drain = verb->add_subcommand(
      "drain", "Take a worker out of service: no new tasks, then its process ends");
  drain->add_option("worker", flags->worker, "Id or name")->required();
  AddServerOption(*drain, &flags->server);
  drain->callback([flags, exit_code] { *exit_code = DrainWorker(flags->server, flags->worker); });
}

}  // namespace millrace
