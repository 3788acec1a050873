#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/file_format/text_window.h"
#include "common/storage/file_system.h"
#include "worker/connectors/file/bad_row_log.h"
#include "worker/connectors/file/file_scan.h"
#include "worker/connectors/file/json_values.h"
#include "worker/connectors/file/row_batch_builder.h"
#include "worker/connectors/file/text_split.h"
#include "worker/connectors/source.h"

namespace millrace {

class JsonRowParser;

// Reads byte ranges of JSON lines: one object a line. Keys are column names; a key that is missing
// or null gives NULL, further keys are not looked at, of equal keys the last counts. Values take
// the way of SQL's text input, so that numbers of any length arrive exactly; objects and arrays fit
// text columns, as JSON text. A range owns the lines that begin in it.
class JsonSource final : public Source {
 public:
  static absl::StatusOr<std::unique_ptr<Source>> Create(FileScan scan, FileSystem& file_system);
  ~JsonSource() override;

  absl::Status Open(const v1::Split& split) override;
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override;
  v1::SplitPosition Position() const override;
  uint64_t bad_rows() const override { return log_.total_bad_rows(); }
  std::vector<BadRow> TakeBadRows() override { return log_.Take(); }
  FollowPolicy follow_policy() const override { return FollowPolicyOf(scan_.options); }
  absl::Status Close() override;

 private:
  JsonSource(FileScan scan, FileSystem& file_system, RowBatchBuilder batch);

  // The next line, without its line feed; false at the end of the split, and where a file that
  // grows ends now. Valid until the next call.
  absl::StatusOr<bool> NextLine(absl::string_view* line);
  absl::Status AppendLine(absl::string_view line);

  const FileScan scan_;
  FileSystem& file_system_;
  RowBatchBuilder batch_;
  const JsonColumns columns_;
  const std::unique_ptr<JsonRowParser> parser_;
  BadRowLog log_;

  TextSplit split_;
  std::unique_ptr<TextWindow> window_;
  // Bytes of the window that were handed out as lines.
  size_t passed_bytes_ = 0;
};

}  // namespace millrace
