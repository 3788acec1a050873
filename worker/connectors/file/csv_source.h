#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file_format/csv_reader.h"
#include "common/storage/file_system.h"
#include "worker/connectors/file/bad_row_log.h"
#include "worker/connectors/file/csv_layout.h"
#include "worker/connectors/file/file_scan.h"
#include "worker/connectors/file/row_batch_builder.h"
#include "worker/connectors/file/text_split.h"
#include "worker/connectors/source.h"

namespace millrace {

// Reads byte ranges of CSV files. A block of text is indexed first (where its fields lie), then
// each projected column is converted in one loop; other columns are not looked at.
//
// Which rows belong to a range [begin, end): those whose first byte lies in it. The first of them
// begins behind the first line feed at or after begin − 1. Whether a line feed is quoted cannot be
// seen there; so the reader of the range before, which knows, fails if its last row has a quoted
// line feed behind its range. Files with such fields are read whole: where the first megabyte shows
// one, and with multiline = true.
class CsvSource final : public Source {
 public:
  static absl::StatusOr<std::unique_ptr<Source>> Create(FileScan scan, FileSystem& file_system);

  absl::Status Open(const v1::Split& split) override;
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override;
  v1::SplitPosition Position() const override;
  uint64_t bad_rows() const override { return log_.total_bad_rows(); }
  std::vector<BadRow> TakeBadRows() override { return log_.Take(); }
  FollowPolicy follow_policy() const override { return FollowPolicyOf(scan_.options); }
  absl::Status Close() override;

 private:
  // A row whose number of fields is wrong, and the good row that it stands before.
  struct MalformedRow {
    size_t before_row;
    size_t index_row;
  };
  // A field that is no value of its column's type.
  struct BadField {
    size_t output;
    absl::Status reason;
  };

  CsvSource(FileScan scan, FileSystem& file_system, RowBatchBuilder batch);

  // False if a file that grows has no complete first line yet.
  absl::StatusOr<bool> ReadLayout(const v1::FileSplit& file);
  // Goes on to the next block; false at the end of the split, and where a file that grows ends now.
  absl::Status UnterminatedQuote(uint64_t position) const;
  absl::StatusOr<bool> NextBlock();
  // Rows of the reader's block that begin before the split's end.
  absl::StatusOr<size_t> RowsInRange() const;
  void SelectRows(size_t num_rows);
  // Reports the malformed rows before good row `row`.
  absl::Status PassMalformedRows(size_t row);
  size_t EndOfAppend(const PollBudget& budget) const;
  // Converts good rows [next_row_, last) into the batch.
  absl::Status AppendRows(size_t last);
  absl::Status AppendColumn(size_t output, size_t last, std::map<size_t, BadField>* bad_fields);
  // Why a field was refused.
  absl::Status ExplainField(size_t output, size_t row) const;
  absl::Status ReportRow(size_t index_row, absl::string_view column, const absl::Status& reason);
  CsvColumn ColumnOf(size_t output) const;
  void UpdatePosition();

  FileScan scan_;
  FileSystem& file_system_;
  RowBatchBuilder batch_;
  BadRowLog log_;

  // Of the file read last; kept for its next split.
  CsvLayout layout_;
  FileInfo layout_file_;

  // Its position is exact between two calls of Poll.
  TextSplit split_;
  // Null: nothing is to be read (now).
  std::unique_ptr<CsvReader> reader_;

  // The current block: its good rows (see CsvColumn::first_fields) and which rows of the index they
  // are.
  std::vector<uint32_t> first_fields_;
  std::vector<uint32_t> index_rows_;
  std::vector<MalformedRow> malformed_;
  size_t next_malformed_ = 0;
  size_t next_row_ = 0;
  // True if rows of the current block lie behind the split's end.
  bool is_last_block_ = false;
};

}  // namespace millrace
