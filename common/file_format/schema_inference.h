#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/connector_spec/file_options.h"
#include "common/storage/file_system.h"
#include "common/types/sql_type.h"

namespace millrace {

// The columns that the files carry, for CREATE TABLE t () WITH (connector = 'file', …) and FROM
// 'file'. Reads the first file: Parquet its schema; CSV names from the header (else column1,
// column2, …) and types from the first 10,000 rows or 4 MiB; JSON lines keys and types from the
// same sample. Text types found: boolean, bigint, double precision, date, timestamp, text; a column
// without values is text. Later files must fit, or reading them fails. `files` as listed; none: an
// empty schema.
absl::StatusOr<Schema> InferFileSchema(FileSystem& file_system, const std::vector<FileInfo>& files,
                                       const FileOptions& options);

}  // namespace millrace
