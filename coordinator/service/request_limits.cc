#include "coordinator/service/request_limits.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/base/status.h"

namespace millrace {
namespace {

constexpr size_t kNameBytesMax = 256;

}  // namespace

absl::Status CheckSqlSize(const std::string& sql) {
  if (sql.size() <= kSqlBytesMax) return absl::OkStatus();
  return MakeError(
      SqlState::kProgramLimitExceeded,
      absl::StrCat("the text has ", sql.size(), " bytes, at most ", kSqlBytesMax, " are allowed"));
}

absl::Status CheckJobName(const std::string& name) {
  if (name.size() > kNameBytesMax) {
    return MakeError(SqlState::kNameTooLong,
                     absl::StrCat("the job's name has ", name.size(), " bytes, at most ",
                                  kNameBytesMax, " are allowed"));
  }
  if (std::any_of(name.begin(), name.end(), absl::ascii_iscntrl)) {
    return MakeError(SqlState::kInvalidName, "the job's name holds control characters");
  }
  if (absl::StripAsciiWhitespace(name) != name) {
    return MakeError(SqlState::kInvalidName,
                     absl::StrCat("the job's name \"", name, "\" begins or ends with white space"));
  }
  const absl::string_view number = absl::StripPrefix(absl::StripPrefix(name, "job-"), "+");
  if (number.empty() || !std::all_of(number.begin(), number.end(), absl::ascii_isdigit)) {
    return absl::OkStatus();
  }
  return MakeError(
      SqlState::kInvalidName,
      absl::StrCat("\"", name, "\" cannot be the name of a job: it could be taken for ",
                   "the id of another one, or for the name that the server gives it"),
      "add a letter, or leave the name out");
}

absl::Status CheckRequestId(const std::string& request_id) {
  if (request_id.size() <= kNameBytesMax) return absl::OkStatus();
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("a request id has at most ", kNameBytesMax, " bytes"));
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
