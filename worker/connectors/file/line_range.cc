#include "worker/connectors/file/line_range.h"

#include <cstring>
#include <vector>

#include "common/base/status.h"

namespace millrace {

absl::StatusOr<uint64_t> FindFirstLine(FileSystem& file_system, const std::string& path,
                                       uint64_t begin) {
  constexpr size_t kStepBytes = size_t{16} << 10;
  MR_ASSIGN_OR_RETURN(const auto file, file_system.OpenForRead(path));
  std::vector<char> buffer(kStepBytes);
  for (uint64_t position = begin - 1;;) {
    MR_ASSIGN_OR_RETURN(const size_t count, file->ReadAt(position, kStepBytes, buffer.data()));
    if (count == 0) return position;
    const void* found = std::memchr(buffer.data(), '\n', count);
    if (found != nullptr) {
      return position + static_cast<uint64_t>(static_cast<const char*>(found) - buffer.data()) + 1;
    }
    position += count;
  }
}

}  // namespace millrace
