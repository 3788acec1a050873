#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/connector_spec/file_options.h"
#include "common/expr/expr.h"
#include "common/storage/file_system.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"

namespace millrace {

namespace v1 {
class FileSplit;
class ScanNode;
class Split;
}  // namespace v1

struct FollowPolicy;

// What a reader of files must know of its scan.
struct FileScan {
  FileOptions options;
  // The definition's columns, and the positions in it of the output's columns.
  Schema columns;
  std::vector<int> projection;
  // Conjuncts over the output's columns that may be used to skip row groups; may be empty.
  std::vector<ExprPtr> filter;
  // For messages.
  std::string table_name;

  const Field& output_field(size_t i) const { return columns[projection[i]]; }
};

// From a plan node with connector "file" or "table" (Parquet, no options).
absl::StatusOr<FileScan> MakeFileScan(const v1::ScanNode& node);

FollowPolicy FollowPolicyOf(const FileOptions& options);

// 55000 if the file is not the one that the split was made from (size, modification time); splits
// without them, and segments of stored tables, are not checked.
absl::Status CheckPinned(FileSystem& file_system, const v1::FileSplit& split);

// The file part of a split; XX000 if it is of another kind.
absl::StatusOr<const v1::FileSplit*> FileSplitOf(const v1::Split& split);

// The batch without the rows `bad_rows` (ascending).
absl::StatusOr<Batch> WithoutRows(const Batch& batch, const std::vector<int64_t>& bad_rows);

}  // namespace millrace
