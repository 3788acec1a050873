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

}  // namespace

void AddWorkerVerb(CLI::App& app, ExitCode* exit_code) {
  struct Flags {
    std::string server = kDefaultServer;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("worker", "Workers of a cluster");
  verb->require_subcommand(1);
  CLI::App* list = verb->add_subcommand("list", "All workers, also lost ones");
  AddServerOption(*list, &flags->server);
  list->add_flag("--json", flags->json, "One JSON object a line");
  list->callback([flags, exit_code] { *exit_code = ListWorkers(flags->server, flags->json); });
}

}  // namespace millrace
