#include "common/storage/path_policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/file_listing.h"

namespace millrace {
namespace {

absl::StatusOr<std::vector<std::string>> ResolveAll(FileSystem& file_system,
                                                    const std::vector<std::string>& folders) {
  std::vector<std::string> resolved;
  for (const std::string& folder : folders) {
    MR_ASSIGN_OR_RETURN(std::string path, file_system.Resolve(folder));
    resolved.push_back(std::move(path));
  }
  return resolved;
}

bool LiesBelow(absl::string_view path, absl::string_view folder) {
  if (folder == "/") return absl::StartsWith(path, "/");
  return absl::StartsWith(path, folder) &&
         (path.size() == folder.size() || path[folder.size()] == '/');
}

bool LiesBelowAny(absl::string_view path, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(),
                     [&](const std::string& folder) { return LiesBelow(path, folder); });
}

// The part of a path before its first wildcard, cut back to whole folders.
absl::string_view FixedPart(absl::string_view path) {
  const size_t wildcard = path.find_first_of("*?[");
  if (wildcard == absl::string_view::npos) return path;
  return path.substr(0, path.rfind('/', wildcard) + 1);
}

}  // namespace

absl::StatusOr<PathPolicy> PathPolicy::Create(FileSystem& file_system,
                                              const std::vector<std::string>& allowed_folders,
                                              const std::vector<std::string>& cluster_folders) {
  MR_ASSIGN_OR_RETURN(std::vector<std::string> allowed, ResolveAll(file_system, allowed_folders));
  MR_ASSIGN_OR_RETURN(std::vector<std::string> own, ResolveAll(file_system, cluster_folders));
  return PathPolicy(file_system, std::move(allowed), std::move(own));
}

absl::StatusOr<std::string> PathPolicy::CheckPath(absl::string_view working_folder,
                                                  absl::string_view path) const {
  MR_RETURN_IF_ERROR(FileSystemOf(path).status());
  if (path.empty()) return MakeError(SqlState::kInvalidParameterValue, "the path is empty");
  if (path.find('\0') != absl::string_view::npos) {
    return MakeError(SqlState::kInvalidParameterValue, "the path holds a zero byte");
  }
  const std::string absolute = JoinPath(working_folder, path);
  if (IsGlob(absolute) && absl::StrContains(absolute.substr(FixedPart(absolute).size()), "..")) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("\"..\" behind a wildcard is not allowed: \"", path, "\""));
  }
  MR_RETURN_IF_ERROR(CheckFile(std::string(FixedPart(absolute))));
  return absolute;
}

absl::Status PathPolicy::CheckFile(const std::string& absolute_path) const {
  MR_ASSIGN_OR_RETURN(const std::string resolved, file_system_->Resolve(absolute_path));
  if (LiesBelowAny(resolved, cluster_folders_)) {
    return MakeError(
        SqlState::kInsufficientPrivilege,
        absl::StrCat("the path \"", absolute_path, "\" lies in a folder of the cluster itself"),
        "keep files that statements read and write outside of data-dir and checkpoint-dir");
  }
  if (LiesBelowAny(resolved, allowed_folders_)) return absl::OkStatus();
  return MakeError(
      SqlState::kInsufficientPrivilege,
      absl::StrCat("the path \"", absolute_path, "\" lies outside of the allowed folders"),
      "start the coordinator with --allowed-path for its folder");
}

}  // namespace millrace
