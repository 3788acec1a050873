#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file_format/byte_stream.h"
#include "common/storage/file_system.h"
#include "worker/connectors/file/file_scan.h"

namespace millrace {

namespace v1 {
class SplitPosition;
}  // namespace v1

// The open split of a reader of text files: which rows of the file are its own, and how far they
// are read.
//
// A split that follows its file has no end. The file may grow between two calls of Open; that it
// holds what was read before is checked by its size and by a checksum of its beginning.
class TextSplit {
 public:
  // 55000 if the file has changed since the split was made, or, where it may grow, was cut or
  // replaced.
  absl::Status Open(FileSystem& file_system, const FileScan& scan, const v1::Split& split);
  // Where the split's first row begins; `rows_begin`: of the file.
  absl::Status FindFirstRow(FileSystem& file_system, uint64_t rows_begin);
  // The text from the position on.
  absl::StatusOr<std::unique_ptr<ByteStream>> OpenText(FileSystem& file_system) const;

  const std::string& path() const { return path_; }
  bool follows() const { return follows_; }
  // Of the file, when the split was opened.
  uint64_t file_bytes() const { return file_bytes_; }
  // Rows that begin here or behind are of the next split; UINT64_MAX = all are of this one.
  uint64_t end_byte() const { return end_byte_; }
  // Bad rows that were counted before the split was resumed.
  uint64_t resumed_bad_rows() const { return resumed_bad_rows_; }

  // Where the next row begins.
  uint64_t position() const { return position_; }
  void MoveTo(uint64_t position) { position_ = position; }
  uint64_t rows_passed() const { return rows_passed_; }
  void PassRows(uint64_t num_rows) { rows_passed_ += num_rows; }
  bool ended() const { return ended_; }
  void End() { ended_ = true; }

  v1::SplitPosition Position(uint64_t bad_rows) const;

 private:
  absl::Status CheckGrown(FileSystem& file_system, const v1::Split& split);

  uint64_t id_ = 0;
  std::string path_;
  Compression compression_ = Compression::kNone;
  bool follows_ = false;
  bool resumed_ = false;
  uint64_t file_bytes_ = 0;
  uint64_t begin_byte_ = 0;
  uint64_t end_byte_ = 0;
  uint64_t position_ = 0;
  uint64_t rows_passed_ = 0;
  uint64_t resumed_bad_rows_ = 0;
  bool ended_ = true;
  // Of a file that may grow.
  uint32_t head_bytes_ = 0;
  uint64_t head_checksum_ = 0;
};

}  // namespace millrace
