#include "coordinator/service/request_limits.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {

absl::Status CheckSqlSize(const std::string& sql) {
  if (sql.size() <= kSqlBytesMax) return absl::OkStatus();
  return MakeError(
      SqlState::kProgramLimitExceeded,
      absl::StrCat("the text has ", sql.size(), " bytes, at most ", kSqlBytesMax, " are allowed"));
}

absl::StatusOr<std::string> CheckWorkingDirectory(const std::string& directory) {
  if (directory.empty()) {
    std::error_code error;
    const std::filesystem::path current = std::filesystem::current_path(error);
    return error ? std::string("/") : current.string();
  }
  if (!absl::StartsWith(directory, "/")) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("the working directory \"", directory, "\" is not absolute"));
  }
  return directory;
}

}  // namespace millrace
