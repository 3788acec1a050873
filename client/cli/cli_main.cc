// The command line: millrace run | dev | sql | job | checkpoint | worker | health | version.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "client/cli/error_text.h"
#include "client/cli/verbs.h"
#include "common/base/status.h"

namespace {

// The verbs print and look no further: whether it has arrived shows when the last of it has left. A
// verb that has failed has said why.
millrace::ExitCode EndOutput(millrace::ExitCode code) {
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (written || code != millrace::ExitCode::kOk) return code;
  const absl::Status lost =
      millrace::MakeError(millrace::SqlState::kIoError, "cannot write to standard output");
  std::fputs(millrace::ErrorText(lost, "").c_str(), stderr);
  return millrace::CallExitCode(lost);
}

}  // namespace

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
    exit_code = app.exit(error) == 0 ? millrace::ExitCode::kOk : millrace::ExitCode::kUsage;
  }
  return static_cast<int>(EndOutput(exit_code));
}
