#include "common/connector_spec/file_options.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/connector_spec/option_reader.h"

namespace millrace {
namespace {

struct FormatSuffix {
  absl::string_view suffix;
  FileFormat format;
};
constexpr FormatSuffix kFormatSuffixes[] = {
    {".csv", FileFormat::kCsv},         {".tsv", FileFormat::kCsv},
    {".tbl", FileFormat::kCsv},         {".json", FileFormat::kJson},
    {".jsonl", FileFormat::kJson},      {".ndjson", FileFormat::kJson},
    {".parquet", FileFormat::kParquet}, {".pq", FileFormat::kParquet}};

struct CompressionSuffix {
  absl::string_view suffix;
  Compression compression;
};
constexpr CompressionSuffix kCompressionSuffixes[] = {{".gz", Compression::kGzip},
                                                      {".zst", Compression::kZstd},
                                                      {".bz2", Compression::kBzip2},
                                                      {".lz4", Compression::kLz4}};

// In the order of the enums.
const std::vector<std::string>& FormatWords() {
  static const auto& words = *new std::vector<std::string>{"csv", "json", "parquet"};
  return words;
}
const std::vector<std::string>& CompressionWords() {
  static const auto& words =
      *new std::vector<std::string>{"auto", "none", "gzip", "zstd", "bzip2", "lz4", "snappy"};
  return words;
}

absl::string_view WithoutCompressionSuffix(absl::string_view path) {
  for (const CompressionSuffix& entry : kCompressionSuffixes) {
    if (absl::EndsWithIgnoreCase(path, entry.suffix)) {
      path.remove_suffix(entry.suffix.size());
      return path;
    }
  }
  return path;
}

void ReadFormat(OptionReader& reader, FileOptions& options) {
  if (reader.Has("format")) {
    // jsonl is what other systems call the same thing.
    if (absl::EqualsIgnoreCase(reader.Text("format", ""), "jsonl")) {
      options.format = FileFormat::kJson;
      return;
    }
    options.format = static_cast<FileFormat>(reader.Choice("format", FormatWords(), 0));
    return;
  }
  reader.Ignore("format");
  if (FileFormatOfName(options.path, &options.format) || options.path.empty()) return;
  reader.Fail(
      MakeError(SqlState::kInvalidParameterValue,
                absl::StrCat("cannot tell the format of \"", options.path, "\" from its name"),
                "add format = 'csv', 'json' or 'parquet'"));
}

void ReadCsvOptions(OptionReader& reader, FileOptions& options) {
  constexpr absl::string_view kCsvOnly[] = {"header", "delimiter", "quote",    "escape",
                                            "null",   "null_only", "multiline"};
  if (options.format != FileFormat::kCsv) {
    for (absl::string_view name : kCsvOnly) {
      if (reader.Has(std::string(name))) {
        reader.Fail(MakeError(SqlState::kInvalidParameterValue,
                              absl::StrCat("option \"", name, "\" is for format 'csv' only")));
      }
      reader.Ignore(std::string(name));
    }
    return;
  }
  const bool auto_header = !reader.Has("header") || reader.Text("header", "") == "auto";
  if (!auto_header) {
    options.header = reader.Bool("header", true) ? CsvHeader::kYes : CsvHeader::kNo;
  }
  reader.Ignore("header");
  const absl::string_view name = WithoutCompressionSuffix(options.path);
  char delimiter = ',';
  if (absl::EndsWithIgnoreCase(name, ".tsv")) delimiter = '\t';
  if (absl::EndsWithIgnoreCase(name, ".tbl")) delimiter = '|';
  options.csv.delimiter = reader.Character("delimiter", delimiter);
  options.csv.quote = reader.Character("quote", '"');
  options.csv.escape = reader.Character("escape", options.csv.quote);
  options.csv.null_strings = reader.List("null");
  // What COPY makes of its NULL: this text, unquoted, and nothing else.
  if (reader.Has("null_only")) {
    options.csv.null_strings = {reader.Text("null_only", "")};
    options.csv.empty_is_null = options.csv.null_strings[0].empty();
  }
  reader.Ignore("null_only");
  options.multiline = reader.Bool("multiline", false);
  const std::string forbidden = "\r\n";
  if (options.csv.delimiter == options.csv.quote ||
      absl::StrContains(forbidden, options.csv.delimiter) ||
      absl::StrContains(forbidden, options.csv.quote) ||
      absl::StrContains(forbidden, options.csv.escape)) {
    reader.Fail(MakeError(SqlState::kInvalidParameterValue,
                          "delimiter and quote must differ, and neither they nor escape can be "
                          "line ends"));
  }
}

void ReadFollow(OptionReader& reader, FileOptions& options) {
  options.follow = reader.Bool("follow", false);
  options.follow_interval_micros =
      reader.DurationMicros("follow_interval", options.follow_interval_micros);
  options.idle_timeout_micros = reader.DurationMicros("idle_timeout", options.idle_timeout_micros);
  constexpr int64_t kMinMicros = 10'000;
  if (options.follow_interval_micros < kMinMicros) {
    reader.Fail(MakeError(SqlState::kInvalidParameterValue,
                          "option \"follow_interval\" must be at least 10 ms"));
  }
  for (const char* name : {"follow_interval", "idle_timeout"}) {
    if (options.follow || !reader.Has(name)) continue;
    reader.Fail(MakeError(SqlState::kInvalidParameterValue,
                          absl::StrCat("option \"", name, "\" is for follow = true only")));
  }
}

void CheckCompression(OptionReader& reader, const FileOptions& options) {
  const bool parquet = options.format == FileFormat::kParquet;
  const bool fits = parquet ? options.compression != Compression::kBzip2
                            : options.compression != Compression::kSnappy;
  if (fits) return;
  reader.Fail(MakeError(
      SqlState::kInvalidParameterValue,
      absl::StrCat("compression '", CompressionWords()[static_cast<size_t>(options.compression)],
                   "' does not go with format '", FileFormatName(options.format), "'")));
}

}  // namespace

bool FileOptions::names_single_file() const {
  if (single_file.has_value()) return *single_file;
  FileFormat unused;
  return path.find_first_of("*?[") == std::string::npos && FileFormatOfName(path, &unused);
}

absl::StatusOr<FileOptions> ParseFileOptions(const OptionMap& option_map) {
  OptionReader reader("file", option_map);
  FileOptions options;
  reader.Ignore("connector");
  options.path = reader.Text("path", "");
  if (options.path.empty()) {
    reader.FailMissing("path", "add path = 'folder/*.csv'");
  }
  ReadFormat(reader, options);
  ReadCsvOptions(reader, options);
  options.compression =
      static_cast<Compression>(reader.Choice("compression", CompressionWords(), 0));
  CheckCompression(reader, options);
  options.bad_rows = static_cast<BadRows>(reader.Choice("bad_rows", {"fail", "skip", "keep"}, 0));
  options.rows_per_file = reader.Count("rows_per_file", 0);
  if (reader.Has("single_file")) options.single_file = reader.Bool("single_file", true);
  reader.Ignore("single_file");
  options.rows_per_second = reader.Number("rows_per_second", 0);
  options.order_by = static_cast<FileOrder>(reader.Choice("order_by", {"name", "mtime"}, 0));
  options.split_bytes = reader.Bytes("split_size", options.split_bytes);
  if (options.split_bytes == 0) {
    reader.Fail(MakeError(SqlState::kInvalidParameterValue, "option \"split_size\" must not be 0"));
  }
  ReadFollow(reader, options);
  reader.Unsupported("partition_by");
  // Of the definition, not of its files.
  reader.Ignore("late_into");
  MR_RETURN_IF_ERROR(reader.Finish());
  return options;
}

absl::string_view FileFormatName(FileFormat format) {
  return FormatWords()[static_cast<size_t>(format)];
}

bool ParseFileFormat(absl::string_view name, FileFormat* format) {
  for (size_t i = 0; i < FormatWords().size(); ++i) {
    if (name == FormatWords()[i]) {
      *format = static_cast<FileFormat>(i);
      return true;
    }
  }
  return false;
}

bool FileFormatOfName(absl::string_view path, FileFormat* format) {
  const absl::string_view name = WithoutCompressionSuffix(path);
  for (const FormatSuffix& entry : kFormatSuffixes) {
    if (absl::EndsWithIgnoreCase(name, entry.suffix)) {
      *format = entry.format;
      return true;
    }
  }
  return false;
}

Compression CompressionOfName(absl::string_view path) {
  for (const CompressionSuffix& entry : kCompressionSuffixes) {
    if (absl::EndsWithIgnoreCase(path, entry.suffix)) return entry.compression;
  }
  return Compression::kNone;
}

Compression ReadCompression(const FileOptions& options, absl::string_view path) {
  // Parquet compresses its pages inside.
  if (options.format == FileFormat::kParquet) return Compression::kNone;
  if (options.compression == Compression::kAuto) return CompressionOfName(path);
  return options.compression;
}

}  // namespace millrace
