#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/checkpoint_text.h"
#include "client/cli/error_text.h"
#include "client/cli/status_text.h"
#include "client/cli/verbs.h"
#include "client/cpp/client.h"
#include "millrace/v1/checkpoint_service.pb.h"

namespace millrace {
namespace {

struct CheckpointFlags {
  std::string server = kDefaultServer;
  std::string job;
  uint64_t epoch = 0;
  bool verify = false;
  bool json = false;
};

ExitCode Report(const absl::Status& status) {
  std::fputs(ErrorText(status, "").c_str(), stderr);
  return CallExitCode(status);
}

ExitCode Print(const absl::StatusOr<std::vector<v1::JobCheckpoint>>& checkpoints, bool json) {
  if (!checkpoints.ok()) return Report(checkpoints.status());
  if (!json) std::fputs(CheckpointsText(*checkpoints).c_str(), stdout);
  for (const v1::JobCheckpoint& checkpoint : *checkpoints) {
    if (json) std::fputs(MessageToJsonLine(checkpoint).c_str(), stdout);
  }
  return ExitCode::kOk;
}

ExitCode List(Client& client, const CheckpointFlags& flags) {
  return Print(client.ListCheckpoints(flags.job), flags.json);
}

ExitCode Create(Client& client, const CheckpointFlags& flags) {
  return Print(client.CreateCheckpoint(flags.job), flags.json);
}

ExitCode Inspect(Client& client, const CheckpointFlags& flags) {
  v1::InspectCheckpointRequest request;
  request.set_job(flags.job);
  request.set_epoch(flags.epoch);
  request.set_verify(flags.verify);
  const auto checkpoint = client.InspectCheckpoint(request);
  if (!checkpoint.ok()) return Report(checkpoint.status());
  const std::string text =
      flags.json ? MessageToJsonLine(*checkpoint) : CheckpointText(*checkpoint, flags.verify);
  std::fputs(text.c_str(), stdout);
  return NumDamaged(*checkpoint) == 0 ? ExitCode::kOk : ExitCode::kFailed;
}

}  // namespace

void AddCheckpointVerb(CLI::App& app, ExitCode* exit_code) {
  auto flags = std::make_shared<CheckpointFlags>();
  CLI::App* checkpoint = app.add_subcommand("checkpoint", "Checkpoints of streaming jobs");
  checkpoint->require_subcommand(1);
  using Action = std::function<ExitCode(Client&, const CheckpointFlags&)>;
  const auto add = [&](const std::string& name, const std::string& description, Action action) {
    CLI::App* verb = checkpoint->add_subcommand(name, description);
    AddServerOption(*verb, &flags->server);
    verb->add_flag("--json", flags->json, "One JSON object a line");
    verb->callback([flags, exit_code, action = std::move(action)] {
      auto client = Client::Connect({.server = flags->server});
      *exit_code = client.ok() ? action(**client, *flags) : Report(client.status());
    });
    return verb;
  };
  add("list", "Checkpoints that are kept, newest first", List)
      ->add_option("job", flags->job, "Id or name; all jobs if left out");
  add("create", "Make a checkpoint now and wait until it is durable", Create)
      ->add_option("job", flags->job, "Id or name")
      ->required();
  CLI::App* inspect = add("inspect", "Files, positions and sinks of a checkpoint", Inspect);
  inspect->add_option("job", flags->job, "Id or name")->required();
  inspect->add_option("--epoch", flags->epoch, "Which one; the newest if left out");
  inspect->add_flag("--verify", flags->verify, "Read every file and compare size and checksum");
}

}  // namespace millrace
