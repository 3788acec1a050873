#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/storage/file_system.h"

namespace millrace {

// True if the path has one of the wildcards * ? [.
bool IsGlob(absl::string_view path);

// True if `name` fits `pattern`: * any characters, ? one, [abc] [a-z] [!a] sets; none of them fits
// '/'.
bool GlobMatches(absl::string_view pattern, absl::string_view name);

// True for names that listings leave out: those that begin with '.' or '_' (staged and marker files
// of ours and of others).
bool IsHiddenName(absl::string_view name);

// The files that `path` names, sorted by path: a file: itself; a folder: the files directly in it;
// a glob: the files that fit, where "**" stands for any number of folders. Hidden names are left
// out unless the pattern itself writes the '.' or '_'. A folder or glob may have no file; a path
// without wildcards that does not exist is 58P01, unless it ends with '/'.
absl::StatusOr<std::vector<FileInfo>> ListFiles(FileSystem& file_system, const std::string& path);

}  // namespace millrace
