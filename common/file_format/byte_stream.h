#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/connector_spec/file_options.h"
#include "common/storage/file_system.h"

namespace millrace {

// The bytes of a file from front to back, decompressed. Positions count decompressed bytes.
class ByteStream {
 public:
  // `begin`: first byte to be read. Of a compressed file everything before it is read and dropped.
  static absl::StatusOr<std::unique_ptr<ByteStream>> Open(FileSystem& file_system,
                                                          const std::string& path,
                                                          Compression compression, uint64_t begin);
  virtual ~ByteStream() = default;

  // Reads up to `num_bytes`; fewer only at the end. 0 = end.
  virtual absl::StatusOr<size_t> Read(size_t num_bytes, char* out) = 0;
};

}  // namespace millrace
