#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace millrace {

// The text of a script, without a byte order mark; "-" is standard input. 58P01 if there is no such
// file or it is a folder, 58030 if it cannot be read to its end; 54000 above 1 MiB. A signal that
// comes while it reads ends the process (EndAtInterrupt), so call it before there is an
// InterruptWatcher.
absl::StatusOr<std::string> ReadScript(const std::string& path);

}  // namespace millrace
