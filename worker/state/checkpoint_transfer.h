#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace millrace {

class FileSystem;

// What a copy has read.
struct CopiedFile {
  uint64_t size_bytes = 0;
  uint64_t checksum_xxh3 = 0;
};

// A file of a checkpoint that a database takes over.
struct FetchedFile {
  // In the checkpoint.
  std::string from;
  uint64_t size_bytes = 0;
  uint64_t checksum_xxh3 = 0;
  // On the local disk; must not exist.
  std::string to;
};

// True: what is under way is not wanted any more. Asked between pieces of files.
using StopCheck = absl::FunctionRef<bool()>;

// Copies a file and fsyncs the copy. 57014 if stopped.
absl::Status UploadFile(FileSystem& file_system, const std::string& from, const std::string& to,
                        StopCheck stop, CopiedFile* copied);

// Makes local files of a checkpoint's files, on several threads: by links where the checkpoint lies
// on the same disk, else by copies. All bytes are read and compared with the checksums. XX001 if a
// file is missing or another one, 57014 if stopped. Nothing is fsynced: what is local is made again
// after a crash. `stop` is called from these threads.
absl::Status FetchFiles(FileSystem& file_system, const std::vector<FetchedFile>& files,
                        StopCheck stop);

}  // namespace millrace
