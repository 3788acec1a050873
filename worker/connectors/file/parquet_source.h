#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"
#include "common/file_format/parquet_file.h"
#include "common/storage/file_system.h"
#include "millrace/v1/split.pb.h"
#include "worker/connectors/file/file_scan.h"
#include "worker/connectors/file/parquet_column.h"
#include "worker/connectors/file/row_group_filter.h"
#include "worker/connectors/file/segment_verification.h"
#include "worker/connectors/source.h"

namespace millrace {

// Reads runs of row groups of Parquet files, of outside tables and of stored ones. Columns are
// found by name (as written, else in other case). Row groups whose statistics refute the scan's
// filter are passed without being read; positions count their rows.
class ParquetSource final : public Source {
 public:
  static absl::StatusOr<std::unique_ptr<Source>> Create(FileScan scan, FileSystem& file_system);

  absl::Status Open(const v1::Split& split) override;
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override;
  v1::SplitPosition Position() const override;
  absl::Status Close() override;

  // Row groups passed by statistics so far.
  uint64_t skipped_row_groups() const { return skipped_row_groups_; }

 private:
  ParquetSource(FileScan scan, FileSystem& file_system);

  // Finds the split's row groups, in a file that may be trusted.
  absl::Status OpenRowGroups();
  absl::Status OpenFile(const v1::FileSplit& split);
  absl::StatusOr<int> FindField(const std::string& name) const;
  bool MayMatch(int row_group) const;
  // Goes on to the next row group that has to be read, `skipped_rows` of it behind us; false if
  // there is none.
  absl::StatusOr<bool> NextRowGroup();
  // The next rows of the current row group, none at its end.
  absl::StatusOr<Batch> NextRows(const PollBudget& budget);

  const FileScan scan_;
  const std::vector<ColumnBound> bounds_;
  FileSystem& file_system_;

  // The open file; kept for its next split. Per output column its field and conversion.
  std::shared_ptr<const ParquetFile> file_;
  FileInfo file_info_;
  std::vector<int> fields_;
  std::vector<ParquetColumn> columns_;

  // The open split.
  uint64_t split_id_ = 0;
  v1::FileSplit split_;
  // Of a stored table's segment that this process reads for the first time; Poll goes on with it.
  std::unique_ptr<SegmentVerification> verification_;
  int next_row_group_ = 0;
  int end_row_group_ = 0;
  // Rows of the split behind us, and those that still have to be passed to get to a position.
  uint64_t rows_passed_ = 0;
  uint64_t rows_to_pass_ = 0;
  bool ended_ = true;
  uint64_t skipped_row_groups_ = 0;

  // The current row group: what is still to come of it.
  std::unique_ptr<ParquetRows> rows_;
  std::shared_ptr<arrow::RecordBatch> pending_;
  int64_t pending_begin_ = 0;
  // Without columns there is nothing to read: rows are only counted.
  int64_t uncounted_rows_ = 0;
};

}  // namespace millrace
