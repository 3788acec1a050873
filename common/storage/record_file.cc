#include "common/storage/record_file.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"

namespace millrace {
namespace {

constexpr absl::string_view kMagic("MRrec1\r\n", 8);
constexpr size_t kChecksumBytes = sizeof(uint64_t);

std::string LittleEndian(uint64_t number) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(number); ++i) {
    bytes.push_back(static_cast<char>(number >> (8 * i)));
  }
  return bytes;
}

}  // namespace

std::string SealedRecord(absl::string_view record) {
  return absl::StrCat(kMagic, LittleEndian(Xxh3(record)), record);
}

absl::Status WriteRecordFile(FileSystem& file_system, const std::string& path,
                             absl::string_view record) {
  return WriteFileAtomically(file_system, path, SealedRecord(record));
}

absl::StatusOr<std::string> ReadRecordFile(FileSystem& file_system, const std::string& path,
                                           absl::string_view what) {
  MR_ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(file_system, path));
  const auto damaged = [&](absl::string_view why) {
    return MakeError(SqlState::kDataCorrupted, absl::StrCat(what, " is damaged: ", path), why);
  };
  if (!absl::StartsWith(bytes, kMagic)) {
    return damaged("it does not begin like one; versions before this one wrote other files");
  }
  const absl::string_view sealed = absl::string_view(bytes).substr(kMagic.size());
  if (sealed.size() < kChecksumBytes) return damaged("it is cut off");
  const absl::string_view record = sealed.substr(kChecksumBytes);
  if (sealed.substr(0, kChecksumBytes) != LittleEndian(Xxh3(record))) {
    return damaged("its checksum is another one");
  }
  bytes.erase(0, kMagic.size() + kChecksumBytes);
  return bytes;
}

}  // namespace millrace
