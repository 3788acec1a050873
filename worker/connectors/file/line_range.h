#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/storage/file_system.h"

namespace millrace {

// Where the first line of a range that begins at `begin` > 0 begins: behind the first line feed at
// or after begin − 1. The file's size if there is none.
absl::StatusOr<uint64_t> FindFirstLine(FileSystem& file_system, const std::string& path,
                                       uint64_t begin);

}  // namespace millrace
