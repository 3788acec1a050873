#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

class FileSystem;

// Files of one record each, with a checksum: a bit that a disk has lost in a number would go
// unnoticed otherwise. 8 bytes that say so, 8 bytes XXH3 of the record in little endian, the
// record.

// After a crash the old or the new record is there. Durable when it returns.
absl::Status WriteRecordFile(FileSystem& file_system, const std::string& path,
                             absl::string_view record);

// XX001 "<what> is damaged: <path>" if it is not what was written.
absl::StatusOr<std::string> ReadRecordFile(FileSystem& file_system, const std::string& path,
                                           absl::string_view what);

// What WriteRecordFile writes.
std::string SealedRecord(absl::string_view record);

}  // namespace millrace
