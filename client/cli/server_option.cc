#include <CLI/CLI.hpp>

#include "client/cli/verbs.h"

namespace millrace {

void AddServerOption(CLI::App& verb, std::string* server) {
  verb.add_option("--server", *server, "host:port of the coordinator")
      ->envname("MILLRACE_SERVER")
      ->capture_default_str();
}

}  // namespace millrace
