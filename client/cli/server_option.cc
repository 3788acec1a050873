#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/verbs.h"
#include "common/base/host_port.h"

namespace millrace {
namespace {

// Empty if it is one, as the parser wants it. What the environment says is checked when it is used.
std::string IsAddress(const std::string& server) {
  const auto parsed = SplitHostPort(server);
  if (parsed.ok() && parsed->port != 0) return "";
  return absl::StrCat("invalid address \"", server, "\", write host:port");
}

}  // namespace

CLI::Option* AddServerOption(CLI::App& verb, std::string* server) {
  // Not by envname(): the parser reads that for the options of all verbs, and those that were not
  // given would overwrite the one that was, because they share `*server`.
  const char* from_environment = std::getenv("MILLRACE_SERVER");
  if (from_environment != nullptr && from_environment[0] != '\0') *server = from_environment;
  return verb.add_option("--server", *server, "host:port of the coordinator (MILLRACE_SERVER)")
      ->check(IsAddress)
      ->capture_default_str();
}

}  // namespace millrace
