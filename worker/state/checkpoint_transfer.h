#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace millrace {

class FileSystem;

// A local file that becomes a file of a checkpoint.
struct UploadedFile {
  std::string from;
  std::string to;
  // What the copy has read, once it is there.
  bool is_there = false;
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

// Copies files and fsyncs the copies, many on several threads. After an error some are there. 57014
// if stopped. `stop` is called from these threads.
absl::Status UploadFiles(FileSystem& file_system, std::vector<UploadedFile>& files, StopCheck stop);

// Makes local files of a checkpoint's files, on several threads: by links where the checkpoint lies
// on the same disk, else by copies. All bytes are read and compared with the checksums. XX001 if a
// file is missing or another one, 57014 if stopped. Nothing is fsynced: what is local is made again
// after a crash. `stop` is called from these threads.
absl::Status FetchFiles(FileSystem& file_system, const std::vector<FetchedFile>& files,
                        StopCheck stop);

}  // namespace millrace
