#include "client/cli/script_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/cli/interrupt.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// What the server takes in one request.
constexpr size_t kScriptBytesMax = 1 << 20;
// Some editors begin a file of UTF-8 with it; it is no part of the text.
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

absl::StatusOr<std::string> ReadAll(std::FILE* input, const std::string& name) {
  std::string text(kByteOrderMark.size() + kScriptBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), input));
  // A folder opens as a file does, and only reading it fails.
  if (std::ferror(input) != 0) {
    const int error = errno;
    if (error == EISDIR) {
      return MakeError(SqlState::kUndefinedFile, absl::StrCat("script ", name, " is a folder"));
    }
    return MakeError(SqlState::kIoError,
                     absl::StrCat("cannot read script ", name, ": ", std::strerror(error)));
  }
  if (absl::StartsWith(text, kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  if (text.size() > kScriptBytesMax) {
    return MakeError(SqlState::kProgramLimitExceeded,
                     absl::StrCat("script ", name, " is longer than 1 MiB"));
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> ReadScript(const std::string& path) {
  // A pipe may never end, or not even open.
  const EndAtInterrupt end_at_interrupt;
  if (path == "-") return ReadAll(stdin, "on standard input");
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return MakeError(SqlState::kUndefinedFile, absl::StrCat("cannot open script ", path));
  }
  absl::StatusOr<std::string> text = ReadAll(file, path);
  std::fclose(file);
  return text;
}

}  // namespace millrace
