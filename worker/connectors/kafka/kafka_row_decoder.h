#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/connector_spec/kafka_options.h"
#include "common/file_format/csv_index.h"
#include "common/types/batch.h"
#include "worker/connectors/file/bad_row_log.h"
#include "worker/connectors/file/json_row_parser.h"
#include "worker/connectors/file/json_values.h"
#include "worker/connectors/file/row_batch_builder.h"
#include "worker/connectors/source.h"

namespace millrace {

// A message as it came; the bytes are borrowed.
struct KafkaMessage {
  int64_t offset = 0;
  // Negative: the message has none.
  int64_t timestamp_millis = -1;
  // Absent = null, as in a tombstone.
  std::optional<absl::string_view> value;
  std::optional<absl::string_view> key;
  // As JSON text; empty if there are none, or nobody asks for them.
  std::string headers;
};

// Makes rows of messages, one of each. A null value gives NULL in every column that comes from the
// value. What cannot be read goes to the log, without any row.
class KafkaRowDecoder {
 public:
  // `projection`: positions in `columns` of the output's columns.
  static absl::StatusOr<std::unique_ptr<KafkaRowDecoder>> Create(
      const KafkaOptions& options, const Schema& columns, const std::vector<int>& projection);

  bool wants_headers() const { return headers_column_.has_value(); }
  bool full(const PollBudget& budget) const { return batch_.full(budget); }
  int64_t num_rows() const { return batch_.num_rows(); }
  int64_t num_bytes() const { return batch_.num_bytes(); }

  // The messages lie in `partition` in this order.
  absl::Status Append(absl::Span<const KafkaMessage> messages, int32_t partition, BadRowLog& log);
  // The rows so far; the next batch begins.
  absl::StatusOr<Batch> Finish() { return batch_.Finish(); }

 private:
  KafkaRowDecoder(const KafkaOptions& options, Schema output, RowBatchBuilder batch,
                  JsonColumns json);

  void CopyValues(absl::Span<const KafkaMessage> messages);
  absl::string_view ValueText(size_t message) const;
  absl::Status AppendNulls(size_t message);
  absl::Status AppendJson(absl::Span<const KafkaMessage> messages);
  absl::Status AppendRaw(absl::Span<const KafkaMessage> messages);
  absl::Status AppendCsv(absl::Span<const KafkaMessage> messages);
  // Messages [first, last), all with a value.
  absl::Status AppendCsvRun(size_t first, size_t last);
  // One row lies in each message of the run that begins at `first`.
  bool IsOneRowEach(size_t first, size_t last) const;
  void SelectCsvRows(size_t first, size_t last);
  absl::Status AppendCsvColumn(size_t value_column);
  absl::Status AppendMetadata(absl::Span<const KafkaMessage> messages, int32_t partition);
  absl::Status AppendKeys(absl::Span<const KafkaMessage> messages);
  absl::Status AppendHeaders(absl::Span<const KafkaMessage> messages);
  void Fault(size_t message, absl::string_view column, absl::Status reason);
  // The row of messages[i] is one more of the batch.
  void PassRow(size_t message) { rows_.push_back(message); }
  absl::Status ReportFaults(absl::Span<const KafkaMessage> messages, BadRowLog& log);

  const KafkaFormat format_;
  const CsvDialect dialect_;
  const Schema output_;
  // CSV: all columns that come from the value, and where those that are asked for go.
  Schema value_columns_;
  std::vector<std::pair<uint32_t, size_t>> csv_outputs_;
  // Output columns that come from the value.
  std::vector<size_t> value_outputs_;
  std::optional<size_t> key_column_;
  std::optional<size_t> headers_column_;
  std::optional<size_t> timestamp_column_;
  std::optional<size_t> partition_column_;
  std::optional<size_t> offset_column_;

  RowBatchBuilder batch_;
  const JsonColumns json_;
  JsonRowParser parser_;

  // Of one call of Append. Values, each with a line feed behind it, and where each begins; the end
  // of the last one.
  std::string text_;
  std::vector<size_t> begins_;
  CsvIndex index_;
  std::vector<uint32_t> first_fields_;
  // Of the CSV run: where it begins in text_, and the place in rows_ of its first row.
  size_t run_begin_ = 0;
  size_t run_row_ = 0;
  // For each row of the call its message.
  std::vector<size_t> rows_;
  std::map<size_t, RowFault> faults_;
};

}  // namespace millrace
