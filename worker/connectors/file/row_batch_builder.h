#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/batch.h"
#include "worker/connectors/file/column_builder.h"
#include "worker/connectors/file/file_scan.h"
#include "worker/connectors/source.h"

namespace millrace {

// The batch that a reader of text is making: a builder for each output column of the scan,
// and the rows that are to be left out of it again.
class RowBatchBuilder {
 public:
  static absl::StatusOr<RowBatchBuilder> Create(const FileScan& scan);
  // `output`: the columns of the batch.
  static absl::StatusOr<RowBatchBuilder> Create(const Schema& output);

  size_t num_columns() const { return columns_.size(); }
  ColumnBuilder& column(size_t i) const { return *columns_[i]; }
  int64_t num_rows() const { return num_rows_; }
  int64_t num_bytes() const { return num_bytes_; }
  bool full(const PollBudget& budget) const {
    return num_rows_ >= budget.rows_max || num_bytes_ >= budget.bytes_max;
  }

  // Rows that every column has got, left-out ones included; bytes of the file that were used up.
  void CountRows(int64_t num_rows) { num_rows_ += num_rows; }
  void CountBytes(int64_t num_bytes) { num_bytes_ += num_bytes; }
  // `row` of the batch is not given out. Ascending.
  void LeaveOut(int64_t row) { left_out_.push_back(row); }

  // Begins the next batch.
  absl::StatusOr<Batch> Finish();

 private:
  std::vector<std::unique_ptr<ColumnBuilder>> columns_;
  int64_t num_rows_ = 0;
  int64_t num_bytes_ = 0;
  std::vector<int64_t> left_out_;
};

}  // namespace millrace
