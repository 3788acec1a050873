#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "client/cli/error_text.h"
#include "client/cli/interrupt.h"
#include "client/cli/script_file.h"
#include "client/cli/statement_runner.h"
#include "client/cli/verbs.h"
#include "common/base/status.h"

namespace millrace {
namespace {

struct SqlFlags {
  std::string server = kDefaultServer;
  std::string command;
  std::string file;
  std::string format = "table";
  bool keep_going = false;
};

// Reads statements from the terminal; one ends with a semicolon at the end of a line.
ExitCode Prompt(StatementRunner& runner, const std::string& version) {
  std::fprintf(stderr, "millrace %s; end a statement with ; and leave with \\q\n", version.c_str());
  std::string statement;
  std::string line;
  while (true) {
    std::fputs(statement.empty() ? "millrace> " : "      ...> ", stderr);
    if (!std::getline(std::cin, line)) break;
    if (statement.empty() && (line == "\\q" || line == "exit" || line == "quit")) break;
    statement += line + "\n";
    const size_t last = statement.find_last_not_of(" \t\r\n");
    if (last == std::string::npos) statement.clear();
    if (statement.empty() || statement[last] != ';') continue;
    runner.Run(statement, nullptr);
    statement.clear();
  }
  return ExitCode::kOk;
}

ExitCode Sql(const SqlFlags& flags) {
  auto format = ParseOutputFormat(flags.format);
  if (!format.ok() || (!flags.command.empty() && !flags.file.empty())) {
    std::fputs(format.ok() ? "millrace sql: give either -c or -f\n"
                           : ErrorText(format.status(), "").c_str(),
               stderr);
    return ExitCode::kUsage;
  }
  const bool prompt = flags.command.empty() && flags.file.empty() && isatty(STDIN_FILENO) != 0;
  std::string sql = flags.command;
  if (!prompt && sql.empty()) {
    // Before signals only cancel: nothing runs yet that they could.
    auto text = ReadScript(flags.file.empty() ? "-" : flags.file);
    if (!text.ok()) {
      std::fputs(ErrorText(text.status(), "").c_str(), stderr);
      return CallExitCode(text.status());
    }
    sql = *std::move(text);
  }
  CancelToken cancel;
  // At a prompt the terminal's default holds: Ctrl-C leaves.
  std::unique_ptr<InterruptWatcher> watcher;
  if (!prompt) watcher = std::make_unique<InterruptWatcher>([&cancel] { cancel.Cancel(); });
  auto client = Client::Connect({.server = flags.server});
  if (!client.ok()) {
    std::fputs(ErrorText(client.status(), "").c_str(), stderr);
    return CallExitCode(client.status());
  }
  StatementRunner runner(**client,
                         {.format = *format, .keep_going = flags.keep_going, .show_tags = prompt});
  if (prompt) return Prompt(runner, (*client)->server_version());
  return runner.Run(sql, &cancel);
}

}  // namespace

void AddSqlVerb(CLI::App& app, ExitCode* exit_code) {
  auto flags = std::make_shared<SqlFlags>();
  CLI::App* verb = app.add_subcommand("sql", "Run statements on a cluster, or open a prompt");
  verb->add_option("-c,--command", flags->command, "Statements");
  verb->add_option("-f,--file,file", flags->file, "Script; - for standard input");
  verb->add_option("-o,--output", flags->format, "table, csv, json or jsonl")
      ->capture_default_str();
  AddServerOption(*verb, &flags->server);
  verb->add_flag("--keep-going", flags->keep_going,
                 "Print an error in its place and go on with the next statement");
  verb->callback([flags, exit_code] { *exit_code = Sql(*flags); });
}

}  // namespace millrace
