#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace millrace {

// The text of a script; "-" is standard input. 58P01 if there is no such file or it is a folder,
// 58030 if it cannot be read to its end; 54000 above 1 MiB.
absl::StatusOr<std::string> ReadScript(const std::string& path);

}  // namespace millrace
