#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"
#include "common/connector_spec/datagen_options.h"
#include "common/types/sql_type.h"

namespace millrace {

// Makes the values of one column. The value of a row depends on seed, column and row number alone,
// so that every way of cutting the sequence gives the same rows.
class ColumnGenerator {
 public:
  ColumnGenerator(const Field& field, const DatagenColumn& spec, uint64_t seed,
                  uint32_t column_index);

  // Rows [begin, begin + num_rows).
  absl::StatusOr<std::shared_ptr<arrow::Array>> Generate(uint64_t begin, int64_t num_rows) const;

 private:
  // 64 random bits of a row; `stream` tells apart what they are for.
  uint64_t Bits(uint64_t row, uint32_t stream) const;
  // In [0, 1).
  double Unit(uint64_t row, uint32_t stream) const;
  bool IsNull(uint64_t row) const;
  // Which of the `cardinality` values.
  uint64_t Choice(uint64_t row) const;

  int64_t IntegerAt(uint64_t row) const;
  double FloatAt(uint64_t row) const;
  __int128 NumericAt(uint64_t row) const;
  void AppendTextAt(uint64_t row, std::string* out) const;

  template <typename T, typename ValueAt>
  absl::StatusOr<std::shared_ptr<arrow::Array>> Fixed(uint64_t begin, int64_t num_rows,
                                                      const ValueAt& value_at) const;
  absl::StatusOr<std::shared_ptr<arrow::Array>> Booleans(uint64_t begin, int64_t num_rows) const;
  absl::StatusOr<std::shared_ptr<arrow::Array>> Strings(uint64_t begin, int64_t num_rows) const;
  // Null if no row is NULL.
  absl::StatusOr<std::shared_ptr<arrow::Buffer>> Validity(uint64_t begin, int64_t num_rows) const;

  const Field field_;
  const DatagenColumn spec_;
  const uint64_t key_;
};

}  // namespace millrace
