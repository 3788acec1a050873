#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/kernel.h"

namespace millrace {

// A column of three-valued logic as two bitmaps: bit i of is_true and of is_false; neither is NULL.
// Bits beyond the rows are zero in both.
class TruthColumn {
 public:
  static TruthColumn AllTrue(int64_t num_rows);
  static TruthColumn AllFalse(int64_t num_rows);
  // `operand` is boolean; a constant is spread over num_rows.
  static TruthColumn FromOperand(const Operand& operand, int64_t num_rows);

  int64_t num_rows() const { return num_rows_; }
  void And(const TruthColumn& other);
  void Or(const TruthColumn& other);
  void Not() {
    is_true_.swap(is_false_);
    ClearTail();
  }

  // Takes row rows[i] from row i of `values`.
  void Scatter(const std::vector<int32_t>& rows, const TruthColumn& values);

  bool IsTrue(int64_t row) const { return GetBit(is_true_, row); }
  bool IsFalse(int64_t row) const { return GetBit(is_false_, row); }
  bool AnyTrue() const;
  // Rows that are true / not false / not true, ascending.
  void AppendTrueRows(std::vector<int32_t>* rows) const;
  std::vector<int32_t> RowsNotFalse() const;
  std::vector<int32_t> RowsNotTrue() const;

  // Tests that are never NULL; each gives the bitmap of a boolean column.
  absl::StatusOr<std::shared_ptr<arrow::Array>> ToArray() const;
  const std::vector<uint64_t>& true_words() const { return is_true_; }
  const std::vector<uint64_t>& false_words() const { return is_false_; }

 private:
  static bool GetBit(const std::vector<uint64_t>& words, int64_t row) {
    return (words[row >> 6] >> (row & 63)) & 1;
  }
  void ClearTail();

  int64_t num_rows_ = 0;
  std::vector<uint64_t> is_true_;
  std::vector<uint64_t> is_false_;
};

// A boolean column from the bits of `words`, without NULLs.
absl::StatusOr<std::shared_ptr<arrow::Array>> BitsToArray(const std::vector<uint64_t>& words,
                                                          int64_t num_rows);
// Appends the rows whose bit is set.
void AppendSetRows(const std::vector<uint64_t>& words, int64_t num_rows,
                   std::vector<int32_t>* rows);

}  // namespace millrace
