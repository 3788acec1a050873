#pragma once

#include "absl/status/status.h"

namespace millrace {

// Exit codes of the command line; part of its interface (docs/reference/cli.md).
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kSqlError = 3,
  kNotFound = 4,
  kConflict = 5,
  kAuth = 6,
  kUnreachable = 7,
  kJobFailed = 8,
  kInterrupted = 130,
};

// For an error of a statement: unreachable, auth and interruption keep their own codes, all else is
// kSqlError.
ExitCode StatementExitCode(const absl::Status& status);
// For an error of another call (job, worker): not found and conflict are told apart too.
ExitCode CallExitCode(const absl::Status& status);

}  // namespace millrace
