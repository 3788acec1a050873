#include <CLI/CLI.hpp>
#include <cstdio>

#include "client/cli/verbs.h"
#include "common/base/version.h"

namespace millrace {

void AddVersionVerb(CLI::App& app, ExitCode* exit_code) {
  CLI::App* verb = app.add_subcommand("version", "Print the version of this binary");
  verb->callback([exit_code] {
    std::printf("millrace %s\n", kVersion);
    *exit_code = ExitCode::kOk;
  });
}

}  // namespace millrace
