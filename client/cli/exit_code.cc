#include "client/cli/exit_code.h"

#include "common/base/status.h"

namespace millrace {

ExitCode StatementExitCode(const absl::Status& status) {
  if (status.ok()) return ExitCode::kOk;
  switch (GetErrorDetail(status).state) {
    case SqlState::kConnectionFailure:
    case SqlState::kCannotConnectNow:
      return ExitCode::kUnreachable;
    case SqlState::kInsufficientPrivilege:
      return ExitCode::kAuth;
    default:
      return ExitCode::kSqlError;
  }
}

ExitCode CallExitCode(const absl::Status& status) {
  if (status.ok()) return ExitCode::kOk;
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return ExitCode::kConflict;
    case absl::StatusCode::kCancelled:
      return ExitCode::kFailed;
    default:
      break;
  }
  const ExitCode code = StatementExitCode(status);
  if (code != ExitCode::kSqlError) return code;
  return GetErrorDetail(status).blame == Blame::kUser ? ExitCode::kSqlError : ExitCode::kFailed;
}

}  // namespace millrace
