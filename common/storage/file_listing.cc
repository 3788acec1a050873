#include "common/storage/file_listing.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_split.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// Matches `c` against the set behind a '['; on success `pattern` stands behind the ']'. A set
// without ']' is taken literally by the caller.
bool MatchSet(absl::string_view& pattern, char c, bool& closed) {
  size_t i = 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool found = false;
  const size_t first = i;
  for (; i < pattern.size() && (pattern[i] != ']' || i == first); ++i) {
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      found |= pattern[i] <= c && c <= pattern[i + 2];
      i += 2;
    } else {
      found |= pattern[i] == c;
    }
  }
  closed = i < pattern.size();
  if (closed) pattern.remove_prefix(i + 1);
  return found != negated;
}

// Matches one character of a name; on success `pattern` stands behind what fitted.
bool MatchOne(absl::string_view& pattern, char c) {
  if (pattern.front() == '?') {
    pattern.remove_prefix(1);
    return true;
  }
  if (pattern.front() == '[') {
    bool closed = false;
    const bool fits = MatchSet(pattern, c, closed);
    if (closed) return fits;
  }
  if (pattern.front() != c) return false;
  pattern.remove_prefix(1);
  return true;
}

class GlobWalk {
 public:
  explicit GlobWalk(FileSystem& file_system) : file_system_(file_system) {}

  // Collects what fits parts[next…] below `folder`.
  absl::Status Walk(const std::string& folder, const std::vector<std::string>& parts, size_t next) {
    const std::string& part = parts[next];
    const bool last = next + 1 == parts.size();
    if (!IsGlob(part) && !last) return Walk(JoinPath(folder, part), parts, next + 1);
    absl::StatusOr<std::vector<FileInfo>> entries = file_system_.List(folder);
    // A folder that is not there has no files that fit.
    if (GetErrorDetail(entries.status()).state == SqlState::kUndefinedFile) {
      return absl::OkStatus();
    }
    MR_RETURN_IF_ERROR(entries.status());
    if (part == "**") {
      // Links may make loops: every folder counts once, under the first of its names.
      MR_ASSIGN_OR_RETURN(std::string resolved, file_system_.Resolve(folder));
      if (!visited_.emplace(std::move(resolved), next).second) return absl::OkStatus();
      if (!last) MR_RETURN_IF_ERROR(Walk(folder, parts, next + 1));
    }
    std::sort(entries->begin(), entries->end(), ByPath);
    for (const FileInfo& entry : *entries) MR_RETURN_IF_ERROR(Visit(entry, parts, next));
    return absl::OkStatus();
  }

  std::vector<FileInfo> Sorted() && {
    std::sort(found_.begin(), found_.end(), ByPath);
    // "**" may reach a file on several ways.
    found_.erase(std::unique(found_.begin(), found_.end(),
                             [](const FileInfo& a, const FileInfo& b) { return a.path == b.path; }),
                 found_.end());
    return std::move(found_);
  }

 private:
  static bool ByPath(const FileInfo& a, const FileInfo& b) { return a.path < b.path; }

  absl::Status Visit(const FileInfo& entry, const std::vector<std::string>& parts, size_t next) {
    const std::string& part = parts[next];
    const bool last = next + 1 == parts.size();
    const std::string name = FileNameOf(entry.path);
    if (IsHiddenName(name) && !IsHiddenName(part)) return absl::OkStatus();
    if (part == "**") {
      if (entry.is_folder) return Walk(entry.path, parts, next);
      if (last) found_.push_back(entry);
      return absl::OkStatus();
    }
    if (!GlobMatches(part, name)) return absl::OkStatus();
    if (last && !entry.is_folder) found_.push_back(entry);
    if (!last && entry.is_folder) return Walk(entry.path, parts, next + 1);
    return absl::OkStatus();
  }

  FileSystem& file_system_;
  std::vector<FileInfo> found_;
  // Folders, and the "**" that they were visited for.
  std::set<std::pair<std::string, size_t>> visited_;
};

}  // namespace

bool IsGlob(absl::string_view path) { return path.find_first_of("*?[") != absl::string_view::npos; }

bool IsHiddenName(absl::string_view name) {
  return !name.empty() && (name.front() == '.' || name.front() == '_');
}

bool GlobMatches(absl::string_view pattern, absl::string_view name) {
  // After a mismatch the last '*' takes one character more; earlier ones never need to.
  bool has_star = false;
  absl::string_view behind_star;
  absl::string_view star_name;
  while (!name.empty()) {
    if (!pattern.empty() && pattern.front() == '*') {
      pattern.remove_prefix(1);
      has_star = true;
      behind_star = pattern;
      star_name = name;
      continue;
    }
    if (!pattern.empty() && name.front() != '/' && MatchOne(pattern, name.front())) {
      name.remove_prefix(1);
      continue;
    }
    if (!has_star || star_name.front() == '/') return false;
    pattern = behind_star;
    star_name.remove_prefix(1);
    name = star_name;
  }
  return pattern.find_first_not_of('*') == absl::string_view::npos;
}

absl::StatusOr<std::vector<FileInfo>> ListFiles(FileSystem& file_system, const std::string& path) {
  absl::StatusOr<FileInfo> info = file_system.Stat(path);
  // A file whose name has wildcards in it is found by its name, too.
  if (info.ok() && !info->is_folder) return std::vector<FileInfo>{*info};
  if (!info.ok() && IsGlob(path)) {
    const bool absolute = path.front() == '/';
    const std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
    GlobWalk walk(file_system);
    MR_RETURN_IF_ERROR(walk.Walk(absolute ? "/" : ".", parts, 0));
    return std::move(walk).Sorted();
  }
  if (!info.ok()) {
    const bool missing = GetErrorDetail(info.status()).state == SqlState::kUndefinedFile;
    if (missing && !path.empty() && path.back() == '/') return std::vector<FileInfo>();
    return info.status();
  }
  GlobWalk walk(file_system);
  MR_RETURN_IF_ERROR(walk.Walk(path, {"*"}, 0));
  return std::move(walk).Sorted();
}

}  // namespace millrace
