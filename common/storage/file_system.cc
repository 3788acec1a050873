#include "common/storage/file_system.h"

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/local_file_system.h"

namespace millrace {

absl::StatusOr<FileSystem*> FileSystemOf(absl::string_view path) {
  // A scheme has two letters at least, so that no odd file name "c://x" is taken for one.
  const size_t scheme_length = path.find("://");
  if (scheme_length != absl::string_view::npos && scheme_length >= 2 &&
      path.find('/') > scheme_length) {
    return WithHint(NotSupported(absl::StrCat("reading and writing \"",
                                              path.substr(0, scheme_length), "://\"")),
                    "use a path of a file system that all processes share");
  }
  static LocalFileSystem local;  // Stateless.
  return &local;
}

std::string JoinPath(absl::string_view folder, absl::string_view name) {
  if (folder.empty() || (!name.empty() && name.front() == '/')) return std::string(name);
  if (folder.back() == '/') return absl::StrCat(folder, name);
  return absl::StrCat(folder, "/", name);
}

std::string FolderOf(absl::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string FileNameOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == absl::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace millrace
