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

// For an error of a statement: unreachable and auth keep their own codes, all else is kSqlError.
// kInterrupted is never among them, here and below: 57014 comes from a timeout or from somebody
// else too, so who has cancelled the call asks the CancelToken first.
ExitCode StatementExitCode(const absl::Status& status);
// For an error of another call (job, worker): not found and conflict are told apart too.
ExitCode CallExitCode(const absl::Status& status);

}  // namespace millrace
