#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "arrow/io/interfaces.h"
#include "common/connector_spec/file_options.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"

namespace millrace {

// Formats rows into one file. The output outlives the writer.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  virtual absl::Status Write(const Batch& batch) = 0;
  // Writes what is still held and the file's end. No Write afterwards.
  virtual absl::Status Finish() = 0;
};

absl::StatusOr<std::unique_ptr<FileWriter>> CreateFileWriter(const FileOptions& options,
                                                             const Schema& schema,
                                                             arrow::io::OutputStream& output);

// The parts of it. CSV: NULL is an empty field (or the first null string), the empty string is "".
// JSON: one object a line, every column in it. Parquet: row groups of 128 Ki rows, dictionaries,
// statistics.
std::unique_ptr<FileWriter> MakeCsvWriter(const FileOptions& options, const Schema& schema,
                                          arrow::io::OutputStream& output);
std::unique_ptr<FileWriter> MakeJsonWriter(const Schema& schema, arrow::io::OutputStream& output);
absl::StatusOr<std::unique_ptr<FileWriter>> MakeParquetWriter(const FileOptions& options,
                                                              const Schema& schema,
                                                              arrow::io::OutputStream& output);

// Formats rows as text, one piece for each row, without anything between them.
class RowFormatter {
 public:
  virtual ~RowFormatter() = default;
  // Appends the rows to *text, and where each ends in it to *ends. A row has no line end.
  virtual void Append(const Batch& batch, std::string* text, std::vector<size_t>* ends) = 0;
};
std::unique_ptr<RowFormatter> MakeCsvFormatter(const CsvDialect& dialect, const Schema& schema);
std::unique_ptr<RowFormatter> MakeJsonFormatter(const Schema& schema);

// What a file written under these options is called behind its stem: ".csv.gz".
std::string FileSuffix(const FileOptions& options);

}  // namespace millrace
