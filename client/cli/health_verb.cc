#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "client/cli/error_text.h"
#include "client/cli/verbs.h"
#include "common/net/health.h"

namespace millrace {
namespace {

struct HealthFlags {
  std::string server = kDefaultServer;
  std::string service;
  int timeout_ms = 2000;
};

ExitCode Health(const HealthFlags& flags) {
  const auto serving = AskServing(flags.server, flags.service, flags.timeout_ms);
  if (!serving.ok()) {
    std::fputs(ErrorText(serving.status(), "").c_str(), stderr);
    return CallExitCode(serving.status());
  }
  std::puts(*serving == Serving::kYes ? "serving" : "not serving");
  return *serving == Serving::kYes ? ExitCode::kOk : ExitCode::kFailed;
}

}  // namespace

void AddHealthVerb(CLI::App& app, ExitCode* exit_code) {
  auto flags = std::make_shared<HealthFlags>();
  CLI::App* verb =
      app.add_subcommand("health", "Ask a coordinator or worker whether it can be used");
  AddServerOption(*verb, &flags->server)
      ->description("host:port of any of the cluster's gRPC servers (MILLRACE_SERVER)");
  verb->add_option("--service", flags->service,
                   "Full name, such as millrace.v1.DataService; else the server as a whole");
  verb->add_option("--timeout-ms", flags->timeout_ms, "How long to wait for the answer")
      ->check(CLI::Range(1, 600'000))
      ->capture_default_str();
  verb->callback([flags, exit_code] { *exit_code = Health(*flags); });
}

}  // namespace millrace
