#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"
#include "common/storage/file_system.h"

namespace millrace {

// Bounds of a column's values in one row group, as its statistics have them: integers, dates and
// times as the file stores them; floats (NaN is not counted); strings (bounds may be shortened, but
// enclose all values).
struct ParquetRange {
  using Bound = std::variant<int64_t, double, std::string>;
  Bound min;
  Bound max;
};

// The rows of one row group, as Arrow's types of the file.
class ParquetRows {
 public:
  virtual ~ParquetRows() = default;
  // Null at the end. Batches have at most kMaxBatchBytes, about, and kTargetBatchRows rows; more
  // rows where they share a large dictionary.
  virtual absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
};

// An open Parquet file with its footer. The only user of the parquet library, whose exceptions end
// here. Immutable; reading different row groups from several threads is safe.
class ParquetFile {
 public:
  // XX001 if the file is no Parquet file or is damaged.
  static absl::StatusOr<std::shared_ptr<const ParquetFile>> Open(FileSystem& file_system,
                                                                 const std::string& path);
  virtual ~ParquetFile() = default;

  virtual const std::string& path() const = 0;
  // Top-level columns.
  virtual const arrow::Schema& schema() const = 0;
  virtual int num_row_groups() const = 0;
  virtual int64_t row_group_rows(int row_group) const = 0;

  // Nothing if the file has no statistics for it or they are of no use.
  virtual std::optional<ParquetRange> RangeOf(int row_group, int field) const = 0;

  // Reads some top-level columns, by position in schema(), in the order given; nested ones are
  // 0A000. Strings come as dictionaries (int32, utf8) where the whole column chunk is
  // dictionary-encoded and its dictionary small for the batch. Starts no threads.
  virtual absl::StatusOr<std::unique_ptr<ParquetRows>> ReadRowGroup(
      int row_group, const std::vector<int>& fields) const = 0;
};

}  // namespace millrace
