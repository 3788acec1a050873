#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "client/cli/error_text.h"
#include "client/cli/interrupt.h"
#include "client/cli/private_cluster.h"
#include "client/cli/verbs.h"

namespace millrace {
namespace {

struct DevFlags {
  std::string data_dir = "millrace-data";
  int workers = 2;
  int slots = 0;
  int port = 7461;
  int control_port = 7462;
};

std::string Loopback(int port) { return "127.0.0.1:" + std::to_string(port); }

ExitCode Dev(const DevFlags& flags) {
  InterruptWatcher watcher([] {});
  PrivateClusterOptions options;
  options.num_workers = flags.workers;
  options.slots_per_worker = flags.slots;
  options.data_dir = flags.data_dir;
  options.client_address = Loopback(flags.port);
  options.control_address = Loopback(flags.control_port);
  auto cluster = PrivateCluster::Start(options);
  if (!cluster.ok()) {
    std::fputs(ErrorText(cluster.status(), "").c_str(), stderr);
    return CallExitCode(cluster.status());
  }
  // One line that a script can wait for; the rest is for people.
  std::printf("ready client=%s\n", (*cluster)->client_address().c_str());
  std::fflush(stdout);
  std::fprintf(stderr, "data in %s; try: millrace sql --server %s -c 'SELECT 1'; Ctrl-C ends it\n",
               (*cluster)->data_dir().c_str(), (*cluster)->client_address().c_str());
  watcher.Wait();
  return ExitCode::kOk;
}

}  // namespace

void AddDevVerb(CLI::App& app, ExitCode* exit_code) {
  auto flags = std::make_shared<DevFlags>();
  CLI::App* verb = app.add_subcommand(
      "dev", "Start a private cluster on the default ports; it stays until Ctrl-C");
  verb->add_option("--data-dir", flags->data_dir, "Folder that keeps tables, jobs and logs")
      ->capture_default_str();
  verb->add_option("--workers", flags->workers, "Worker processes")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  verb->add_option("--slots", flags->slots, "Slots of each worker; 0 shares the cores")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  verb->add_option("--port", flags->port, "Port for clients; 0 = chosen by the system")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  verb->add_option("--control-port", flags->control_port, "Port for workers; 0 = chosen")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  verb->callback([flags, exit_code] { *exit_code = Dev(*flags); });
}

}  // namespace millrace
