#include <CLI/CLI.hpp>
#include <cstdlib>

#include "client/cli/verbs.h"

namespace millrace {

CLI::Option* AddServerOption(CLI::App& verb, std::string* server) {
  // Not by envname(): the parser reads that for the options of all verbs, and those that were not
  // given would overwrite the one that was, because they share `*server`.
  const char* from_environment = std::getenv("MILLRACE_SERVER");
  if (from_environment != nullptr && from_environment[0] != '\0') *server = from_environment;
  return verb.add_option("--server", *server, "host:port of the coordinator (MILLRACE_SERVER)")
      ->capture_default_str();
}

}  // namespace millrace
