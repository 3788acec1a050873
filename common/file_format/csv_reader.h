#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/connector_spec/file_options.h"
#include "common/file_format/byte_stream.h"
#include "common/file_format/csv_index.h"
#include "common/file_format/text_window.h"
#include "common/storage/file_system.h"

namespace millrace {

// Reads CSV text as blocks of whole rows.
class CsvReader {
 public:
  // What stands behind the last line end: a row, or the beginning of one that is still being
  // written.
  enum class Rest : uint8_t { kIsRow, kIsUnfinished };

  // Large enough that the cost of a block vanishes, small enough that its text and index stay in
  // the cache.
  static constexpr size_t kBlockBytes = size_t{256} << 10;

  // `begin`: the position in the file of the stream's first byte, which begins a row.
  CsvReader(std::unique_ptr<ByteStream> stream, std::string path, CsvDialect dialect,
            uint64_t begin, Rest rest = Rest::kIsRow);

  // Goes on to the next block; false at the end, or where an unfinished row begins. 22P04 if a
  // quoted field is not closed in a finished file.
  absl::StatusOr<bool> Next();

  // The current block: at least one row. Valid until the next call of Next. offset(): its position
  // in the file.
  absl::string_view text() const { return window_.text().substr(0, block_bytes_); }
  const CsvIndex& index() const { return index_; }
  uint64_t offset() const { return window_.offset(); }

 private:
  TextWindow window_;
  const std::string path_;
  const CsvDialect dialect_;
  const Rest rest_;
  CsvIndex index_;
  // Length of the current block in the window.
  size_t block_bytes_ = 0;
};

// What the beginning of a CSV file tells.
struct CsvFileHead {
  // Bytes of a byte order mark.
  uint64_t mark_bytes = 0;
  // Position behind the first line.
  uint64_t first_row_end = 0;
  // The fields of the first line that is not blank, unquoted; empty if the file is.
  std::vector<std::string> first_row;
};
absl::StatusOr<CsvFileHead> ReadCsvFileHead(FileSystem& file_system, const std::string& path,
                                            Compression compression, const CsvDialect& dialect);

// True if the row holds exactly these names, in any order and in upper or lower case.
bool IsHeaderOf(const std::vector<std::string>& row, const std::vector<std::string>& names);

}  // namespace millrace
