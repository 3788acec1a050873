#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"
#include "common/types/sql_type.h"

namespace millrace {

// Turns a column of a Parquet file into a column of the declared type, as Batch wants it: other
// widths and units of the same kind are converted with checks (22003 out of range), dictionaries of
// strings pass.
class ParquetColumn {
 public:
  // 42804 if the file's type is of another kind than the declared one. `name` and `path` stand in
  // messages.
  static absl::StatusOr<ParquetColumn> Create(const arrow::DataType& file_type,
                                              const Field& declared, const std::string& path);

  absl::StatusOr<std::shared_ptr<arrow::Array>> Convert(std::shared_ptr<arrow::Array> array) const;

  // What an integer of the file's statistics must be multiplied with to be in the declared type's
  // unit (negative: divided by); 0 if the statistics cannot be compared with declared values.
  int64_t unit_factor() const { return unit_factor_; }

 private:
  ParquetColumn(Field declared, std::string path);

  absl::StatusOr<std::shared_ptr<arrow::Array>> Cast(
      std::shared_ptr<arrow::Array> array, const std::shared_ptr<arrow::DataType>& type) const;
  absl::StatusOr<std::shared_ptr<arrow::Array>> ToNumeric(
      std::shared_ptr<arrow::Array> array) const;
  absl::StatusOr<std::shared_ptr<arrow::Array>> ToTimestamp(
      std::shared_ptr<arrow::Array> array) const;
  absl::Status CheckLength(const arrow::Array& array) const;
  absl::Status Located(absl::Status status) const;

  Field declared_;
  std::string path_;
  std::shared_ptr<arrow::DataType> target_;
  int64_t unit_factor_ = 0;
};

}  // namespace millrace
