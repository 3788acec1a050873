// The command line: millrace run | dev | sql | job | checkpoint | worker | health | version.

#include <CLI/CLI.hpp>

#include "client/cli/verbs.h"

int main(int argc, char** argv) {
  CLI::App app{"Millrace: one SQL engine for batches and streams", "millrace"};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help for all commands");
  millrace::ExitCode exit_code = millrace::ExitCode::kOk;
  millrace::AddRunVerb(app, &exit_code);
  millrace::AddDevVerb(app, &exit_code);
  millrace::AddSqlVerb(app, &exit_code);
  millrace::AddJobVerb(app, &exit_code);
  millrace::AddCheckpointVerb(app, &exit_code);
  millrace::AddWorkerVerb(app, &exit_code);
  millrace::AddHealthVerb(app, &exit_code);
  millrace::AddVersionVerb(app, &exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // The library reports by exception; 0 stands for --help.
    return app.exit(error) == 0 ? 0 : static_cast<int>(millrace::ExitCode::kUsage);
  }
  return static_cast<int>(exit_code);
}
