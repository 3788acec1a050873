#pragma once

#include <memory>
#include <string>

#include "client/cli/exit_code.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace millrace {

// Each verb adds its command to the parser and sets `*exit_code` when it has run. One file for each
// verb.
void AddRunVerb(CLI::App& app, ExitCode* exit_code);
void AddDevVerb(CLI::App& app, ExitCode* exit_code);
void AddSqlVerb(CLI::App& app, ExitCode* exit_code);
void AddJobVerb(CLI::App& app, ExitCode* exit_code);
void AddCheckpointVerb(CLI::App& app, ExitCode* exit_code);
void AddWorkerVerb(CLI::App& app, ExitCode* exit_code);
void AddHealthVerb(CLI::App& app, ExitCode* exit_code);
void AddVersionVerb(CLI::App& app, ExitCode* exit_code);

// Where verbs look for a cluster unless told otherwise.
inline constexpr char kDefaultServer[] = "127.0.0.1:7461";

// --server H:P of a verb; without it $MILLRACE_SERVER, without that what `*server` holds.
CLI::Option* AddServerOption(CLI::App& verb, std::string* server);

}  // namespace millrace
