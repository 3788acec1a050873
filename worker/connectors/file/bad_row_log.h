#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/connector_spec/file_options.h"
#include "common/file_format/byte_stream.h"
#include "common/storage/file_system.h"
#include "worker/connectors/source.h"

namespace millrace {

// Tells at which line of a file a position lies. Reads the file from its beginning; asked for
// ascending positions it reads everything once. Used when a row is bad, so good files cost nothing.
class LineCounter {
 public:
  LineCounter(FileSystem& file_system, std::string path, Compression compression);

  // 1-based; 0 if the file cannot be read any more.
  uint64_t LineAt(uint64_t position);

 private:
  bool CountTo(uint64_t position);

  FileSystem& file_system_;
  const std::string path_;
  const Compression compression_;
  std::unique_ptr<ByteStream> stream_;
  std::vector<char> buffer_;
  uint64_t position_ = 0;
  uint64_t line_ = 1;
};

// The rows of one scan of one task that did not parse: a count of all, and the first of them where
// bad_rows = 'keep', up to kRowsMax rows and kBytesMax bytes over the log's life.
class BadRowLog {
 public:
  static constexpr size_t kRowsMax = 1000;
  static constexpr size_t kBytesMax = size_t{1} << 20;
  static constexpr size_t kTextBytesMax = 1024;
  static constexpr size_t kReasonBytesMax = 256;

  explicit BadRowLog(BadRows policy) : policy_(policy) {}

  // The following rows are of this file; `bad_rows` of its split are counted already.
  void BeginFile(FileSystem& file_system, const std::string& path, Compression compression,
                 uint64_t bad_rows);
  // The same for input without lines, whose rows are known by their position alone.
  void BeginInput(const std::string& path, uint64_t bad_rows);
  // With bad_rows = 'fail': the row's error, `a.csv line 12, column "x": …` or `clicks/3 offset 12:
  // …`. Else OK, and the row is counted and perhaps kept. `position`: of the row in the file;
  // `column`: empty if the whole row is meant.
  absl::Status Add(uint64_t position, absl::string_view row, absl::string_view column,
                   const absl::Status& reason);

  // Bad rows of the current split.
  uint64_t split_bad_rows() const { return split_bad_rows_; }
  uint64_t total_bad_rows() const { return total_bad_rows_; }
  // The rows kept since the last call.
  std::vector<BadRow> Take();

 private:
  void Keep(uint64_t position, absl::string_view row, absl::string_view column,
            const absl::Status& reason);

  const BadRows policy_;
  std::string path_;
  // Null for input without lines.
  std::unique_ptr<LineCounter> lines_;
  std::vector<BadRow> rows_;
  // Kept so far, taken ones included.
  size_t num_kept_ = 0;
  size_t bytes_kept_ = 0;
  uint64_t split_bad_rows_ = 0;
  uint64_t total_bad_rows_ = 0;
};

}  // namespace millrace
