#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/file_format/csv_reader.h"
#include "worker/connectors/file/file_scan.h"

namespace millrace {

// How the rows of one CSV file serve a scan's columns.
struct CsvLayout {
  // Position of the first row behind byte order mark and header.
  uint64_t rows_begin = 0;
  bool has_header = false;
  // Fields that every row must have.
  size_t num_fields = 0;
  // For each output column its place in a row.
  std::vector<uint32_t> field_of_output;
  // Names of the fields, for messages.
  std::vector<std::string> field_names;
};

// By the options and the file's first line. With header = 'auto' the first line is a header if
// every declared column is named in it. Where a header names every declared column, in whatever
// order and among others, fields are found by name; else fields are the declared columns in turn.
// 22P04 if a header neither names the declared columns nor has as many fields.
absl::StatusOr<CsvLayout> MakeCsvLayout(const FileScan& scan, const CsvFileHead& head,
                                        const std::string& path);

}  // namespace millrace
