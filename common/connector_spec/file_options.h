#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/connector_spec/connector_options.h"

namespace millrace {

enum class FileFormat : uint8_t { kCsv, kJson, kParquet };
// kAuto: reading, the first line is a header if its fields are the column names (or, where columns
// are inferred, if they do not look like values); writing, there is one.
enum class CsvHeader : uint8_t { kAuto, kYes, kNo };
// kAuto: reading, by the file's name (.gz, .zst, .bz2, .lz4); writing, Snappy in Parquet, none
// else.
enum class Compression : uint8_t { kAuto, kNone, kGzip, kZstd, kBzip2, kLz4, kSnappy };
// What happens to rows that do not parse: the query fails; they are counted; they are counted and
// kept.
enum class BadRows : uint8_t { kFail, kSkip, kKeep };
// In which order a stream takes the files.
enum class FileOrder : uint8_t { kName, kModificationTime };

// Characters of a CSV file.
struct CsvDialect {
  char delimiter = ',';
  char quote = '"';
  // Stands before a quote, or before itself, that is part of a quoted value.
  char escape = '"';
  // Unquoted fields that mean NULL, besides the empty one.
  std::vector<std::string> null_strings;
  // False: an empty field is an empty text, as in a COPY with a NULL string of its own.
  bool empty_is_null = true;
};

// Options of connector = 'file'.
struct FileOptions {
  // A file, a folder or a glob, as written.
  std::string path;
  FileFormat format = FileFormat::kCsv;
  CsvHeader header = CsvHeader::kAuto;
  CsvDialect csv;
  Compression compression = Compression::kAuto;
  BadRows bad_rows = BadRows::kFail;
  // True: quoted fields may hold line breaks anywhere, so CSV files are not cut into ranges.
  bool multiline = false;
  // Large text files are cut into ranges of this size.
  uint64_t split_bytes = uint64_t{32} << 20;
  // Sinks begin a new file after so many rows; 0 = never.
  uint64_t rows_per_file = 0;
  // Streams read at most so many rows per second; 0 = as fast as possible.
  double rows_per_second = 0;
  FileOrder order_by = FileOrder::kName;
  // Streams watch for new files and, in text files, for appended lines: every follow_interval. A
  // file to which nothing was appended for idle_timeout does not hold back the watermark.
  bool follow = false;
  int64_t follow_interval_micros = 1'000'000;
  int64_t idle_timeout_micros = 30'000'000;

  // True if a sink writes the one file `path`, not files in a folder. By the option single_file
  // (which COPY sets); without it if the path ends in a name with an extension of a format.
  std::optional<bool> single_file;
  bool names_single_file() const;
};

absl::StatusOr<FileOptions> ParseFileOptions(const OptionMap& options);

// "csv", "json", "parquet".
absl::string_view FileFormatName(FileFormat format);
// The inverse; false if there is no such format.
bool ParseFileFormat(absl::string_view name, FileFormat* format);
// The format that a file's name tells ("a.csv.gz", "b.jsonl", "c/*.parquet"); false if none.
bool FileFormatOfName(absl::string_view path, FileFormat* format);
// The compression of a text file by its name; kNone if the name tells none.
Compression CompressionOfName(absl::string_view path);
// What reading `path` has to undo under these options.
Compression ReadCompression(const FileOptions& options, absl::string_view path);

}  // namespace millrace
