#include "client/cli/script_file.h"

#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// What the server takes in one request.
constexpr size_t kScriptBytesMax = 1 << 20;

absl::StatusOr<std::string> ReadAll(std::istream& input, const std::string& name) {
  std::string text(kScriptBytesMax + 1, '\0');
  input.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(input.gcount()));
  if (text.size() > kScriptBytesMax) {
    return MakeError(SqlState::kProgramLimitExceeded,
                     absl::StrCat("script ", name, " is longer than 1 MiB"));
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> ReadScript(const std::string& path) {
  if (path == "-") return ReadAll(std::cin, "on standard input");
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return MakeError(SqlState::kUndefinedFile, absl::StrCat("cannot open script ", path));
  }
  return ReadAll(file, path);
}

}  // namespace millrace
