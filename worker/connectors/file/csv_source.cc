#include "worker/connectors/file/csv_source.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "millrace/v1/split.pb.h"
#include "simdjson.h"

namespace millrace {
namespace {

// One Poll looks at no more blocks than this, so that a task that finds no rows still yields.
constexpr int kBlocksPerPollMax = 16;

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> CsvSource::Create(FileScan scan, FileSystem& file_system) {
  MR_ASSIGN_OR_RETURN(RowBatchBuilder batch, RowBatchBuilder::Create(scan));
  return std::unique_ptr<Source>(new CsvSource(std::move(scan), file_system, std::move(batch)));
}

CsvSource::CsvSource(FileScan scan, FileSystem& file_system, RowBatchBuilder batch)
    : scan_(std::move(scan)),
      file_system_(file_system),
      batch_(std::move(batch)),
      log_(scan_.options.bad_rows) {}

absl::Status CsvSource::Open(const v1::Split& split) {
  reader_.reset();
  first_fields_.clear();
  malformed_.clear();
  next_row_ = next_malformed_ = 0;
  is_last_block_ = false;
  MR_RETURN_IF_ERROR(split_.Open(file_system_, scan_, split));
  log_.BeginFile(file_system_, split_.path(), ReadCompression(scan_.options, split_.path()),
                 split_.resumed_bad_rows());
  MR_ASSIGN_OR_RETURN(const bool has_rows, ReadLayout(split.file()));
  if (!has_rows) return absl::OkStatus();
  MR_RETURN_IF_ERROR(split_.FindFirstRow(file_system_, layout_.rows_begin));
  if (split_.ended()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(auto stream, split_.OpenText(file_system_));
  reader_ = std::make_unique<CsvReader>(
      std::move(stream), split_.path(), scan_.options.csv, split_.position(),
      split_.follows() ? CsvReader::Rest::kIsUnfinished : CsvReader::Rest::kIsRow);
  return absl::OkStatus();
}

absl::StatusOr<bool> CsvSource::ReadLayout(const v1::FileSplit& file) {
  if (layout_file_.path == file.path() && layout_file_.size_bytes == file.size_bytes() &&
      layout_file_.mtime_micros == file.mtime_micros() && file.mtime_micros() != 0) {
    return true;
  }
  absl::StatusOr<CsvFileHead> head = ReadCsvFileHead(
      file_system_, file.path(), ReadCompression(scan_.options, file.path()), scan_.options.csv);
  if (split_.follows()) {
    // What looks like an error may be a quoted field that is not written to its end.
    const bool unfinished =
        !head.ok() ? GetErrorDetail(head.status()).state == SqlState::kBadCopyFileFormat
                   : head->first_row.empty() || head->first_row_end > split_.file_bytes();
    if (unfinished) return false;
  }
  if (GetErrorDetail(head.status()).state == SqlState::kBadCopyFileFormat) {
    return UnterminatedQuote(0);
  }
  MR_RETURN_IF_ERROR(head.status());
  MR_ASSIGN_OR_RETURN(layout_, MakeCsvLayout(scan_, *head, file.path()));
  layout_file_ = FileInfo{file.path(), file.size_bytes(), file.mtime_micros(), false};
  return true;
}

absl::StatusOr<PollResult> CsvSource::Poll(const PollBudget& budget, Batch* batch) {
  int num_blocks = 0;
  bool idle = reader_ == nullptr;
  while (!split_.ended() && !idle && !batch_.full(budget)) {
    if (next_row_ < first_fields_.size()) {
      MR_RETURN_IF_ERROR(AppendRows(EndOfAppend(budget)));
      continue;
    }
    MR_RETURN_IF_ERROR(PassMalformedRows(next_row_));
    if (num_blocks++ == kBlocksPerPollMax) break;
    MR_ASSIGN_OR_RETURN(const bool more, NextBlock());
    idle = !more;
    if (!more && !split_.follows()) split_.End();
  }
  UpdatePosition();
  MR_ASSIGN_OR_RETURN(*batch, batch_.Finish());
  if (split_.ended()) return PollResult::kEnd;
  return idle ? PollResult::kIdle : PollResult::kRows;
}

// The rest of the file, from `position` on, is one row that does not end.
absl::Status CsvSource::UnterminatedQuote(uint64_t position) const {
  LineCounter lines(file_system_, split_.path(), ReadCompression(scan_.options, split_.path()));
  return MakeError(
      SqlState::kBadCopyFileFormat,
      absl::StrCat(split_.path(), " line ", lines.LineAt(position), ": unterminated quoted field"),
      "is a closing quote missing? The rest of the file is one row");
}

absl::StatusOr<bool> CsvSource::NextBlock() {
  if (is_last_block_) return false;
  const absl::StatusOr<bool> more = reader_->Next();
  if (GetErrorDetail(more.status()).state == SqlState::kBadCopyFileFormat) {
    return UnterminatedQuote(reader_->offset());
  }
  MR_RETURN_IF_ERROR(more.status());
  if (!*more) return false;
  MR_ASSIGN_OR_RETURN(const size_t num_rows, RowsInRange());
  SelectRows(num_rows);
  const absl::string_view text = reader_->text();
  const bool valid = simdjson::validate_utf8(text.data(), text.size()) &&
                     std::memchr(text.data(), '\0', text.size()) == nullptr;
  for (size_t i = 0; i < batch_.num_columns(); ++i) batch_.column(i).set_check_text(!valid);
  return true;
}

absl::StatusOr<size_t> CsvSource::RowsInRange() const {
  const CsvIndex& index = reader_->index();
  const uint64_t offset = reader_->offset();
  size_t num_rows = index.num_rows();
  const uint64_t block_end = offset + reader_->text().size();
  const uint64_t end_byte = split_.end_byte();
  if (block_end < end_byte) return num_rows;
  while (num_rows > 0 && offset + index.row_begin(num_rows - 1) >= end_byte) --num_rows;
  if (num_rows == 0) return num_rows;
  // The reader of the next range takes the first line feed from end − 1 on for a row's end: is it
  // this row's?
  const uint64_t row_end = offset + index.row_end(num_rows - 1);
  if (row_end + 1 > end_byte) {
    const uint64_t seen_from = std::max(end_byte - 1, offset) - offset;
    const char* seen = reader_->text().data() + seen_from;
    if (std::memchr(seen, '\n', row_end - offset - seen_from) != nullptr) {
      return MakeError(SqlState::kBadCopyFileFormat,
                       absl::StrCat("\"", split_.path(), "\" at byte ", offset + seen_from,
                                    ": a quoted field with a line break lies across two ranges"),
                       "add multiline = true to the options of the table");
    }
  }
  return num_rows;
}

void CsvSource::SelectRows(size_t num_rows) {
  const CsvIndex& index = reader_->index();
  is_last_block_ = num_rows < index.num_rows() ||
                   reader_->offset() + reader_->text().size() >= split_.end_byte();
  first_fields_.clear();
  index_rows_.clear();
  malformed_.clear();
  next_row_ = next_malformed_ = 0;
  first_fields_.reserve(num_rows);
  index_rows_.reserve(num_rows);
  uint32_t first_field = 1;
  for (size_t row = 0; row < num_rows; ++row) {
    const uint32_t row_end = index.row_ends[row];
    if (row_end + 1 - first_field == layout_.num_fields) [[likely]] {
      first_fields_.push_back(first_field);
      index_rows_.push_back(static_cast<uint32_t>(row));
    } else if (row_end != first_field || !CsvField(reader_->text(), index, row, 0).empty()) {
      malformed_.push_back({first_fields_.size(), row});
    }  // Blank lines between rows of several fields mean nothing.
    first_field = row_end + 1;
  }
}

absl::Status CsvSource::PassMalformedRows(size_t row) {
  while (next_malformed_ < malformed_.size() && malformed_[next_malformed_].before_row <= row) {
    const size_t index_row = malformed_[next_malformed_++].index_row;
    const size_t num_fields = reader_->index().num_fields(index_row);
    const std::string message =
        num_fields < layout_.num_fields
            ? absl::StrCat("missing data for column \"", layout_.field_names[num_fields], "\"")
            : "extra data after last expected column";
    split_.PassRows(1);
    MR_RETURN_IF_ERROR(ReportRow(
        index_row, "",
        MakeError(
            SqlState::kBadCopyFileFormat, message,
            absl::StrCat("the row has ", num_fields, " fields, the table ", layout_.num_fields,
                         "; is the delimiter right? bad_rows = 'skip' leaves such rows out"))));
  }
  return absl::OkStatus();
}

size_t CsvSource::EndOfAppend(const PollBudget& budget) const {
  const size_t rows_left = first_fields_.size() - next_row_;
  const int64_t row_bytes = std::max<int64_t>(
      1, static_cast<int64_t>(reader_->text().size() / reader_->index().num_rows()));
  const int64_t rows_fitting =
      std::max<int64_t>(1, (budget.bytes_max - batch_.num_bytes()) / row_bytes);
  const int64_t count = std::min(
      {static_cast<int64_t>(rows_left), budget.rows_max - batch_.num_rows(), rows_fitting});
  size_t last = next_row_ + static_cast<size_t>(count);
  // Malformed rows are reported in their place.
  if (next_malformed_ < malformed_.size()) {
    const size_t before = malformed_[next_malformed_].before_row;
    if (before > next_row_) last = std::min(last, before);
  }
  return last;
}

CsvColumn CsvSource::ColumnOf(size_t output) const {
  CsvColumn column;
  column.text = reader_->text().data();
  column.separators = reader_->index().separators.data();
  column.first_fields = first_fields_.data();
  column.column = layout_.field_of_output[output];
  column.is_last = column.column + 1 == layout_.num_fields;
  column.has_quotes = reader_->index().has_quotes;
  column.dialect = &scan_.options.csv;
  return column;
}

absl::Status CsvSource::AppendRows(size_t last) {
  std::map<size_t, BadField> bad_fields;
  for (size_t output = 0; output < batch_.num_columns(); ++output) {
    MR_RETURN_IF_ERROR(AppendColumn(output, last, &bad_fields));
  }
  for (const auto& [row, bad] : bad_fields) {
    batch_.LeaveOut(batch_.num_rows() + static_cast<int64_t>(row - next_row_));
    MR_RETURN_IF_ERROR(
        ReportRow(index_rows_[row], scan_.output_field(bad.output).name, bad.reason));
  }
  const CsvIndex& index = reader_->index();
  const uint32_t begin = index.row_begin(index_rows_[next_row_]);
  batch_.CountBytes(index.row_end(index_rows_[last - 1]) + int64_t{1} - begin);
  batch_.CountRows(static_cast<int64_t>(last - next_row_));
  split_.PassRows(last - next_row_);
  next_row_ = last;
  return PassMalformedRows(next_row_);
}

absl::Status CsvSource::AppendColumn(size_t output, size_t last,
                                     std::map<size_t, BadField>* bad_fields) {
  const CsvColumn column = ColumnOf(output);
  ColumnBuilder& builder = batch_.column(output);
  const SqlType& type = scan_.output_field(output).type;
  const bool has_text = type.is_string() || type.id == TypeId::kBytea;
  const int64_t text_bytes = has_text ? column.text_bytes(next_row_, last) : 0;
  MR_RETURN_IF_ERROR(builder.Reserve(static_cast<int64_t>(last - next_row_), text_bytes));
  size_t row = next_row_;
  while ((row = builder.AppendCsv(column, row, last)) < last) {
    // The row is taken out of the batch again; of several errors in it the first column's counts.
    bad_fields->try_emplace(row, BadField{output, ExplainField(output, row)});
    builder.AppendNull();
    ++row;
  }
  return absl::OkStatus();
}

absl::Status CsvSource::ExplainField(size_t output, size_t row) const {
  std::string value(ColumnOf(output).field(row));
  if (reader_->index().has_quotes) {
    const std::string field = std::exchange(value, "");
    Unquote(field, scan_.options.csv, &value);
  }
  return batch_.column(output).ExplainFailure(value);
}

absl::Status CsvSource::ReportRow(size_t index_row, absl::string_view column,
                                  const absl::Status& reason) {
  const CsvIndex& index = reader_->index();
  const uint32_t begin = index.row_begin(index_row);
  const absl::string_view text = reader_->text().substr(begin, index.row_end(index_row) - begin);
  const bool may_be_header = scan_.options.header == CsvHeader::kAuto && !layout_.has_header &&
                             GetErrorDetail(reason).hint.empty() &&
                             reader_->offset() + begin == layout_.rows_begin;
  return log_.Add(reader_->offset() + begin, text, column,
                  may_be_header
                      ? WithHint(reason, "if the first line is a header, add header = true")
                      : reason);
}

void CsvSource::UpdatePosition() {
  if (reader_ == nullptr) return;
  if (reader_->text().empty()) {
    // Before the first block and behind the last one.
    split_.MoveTo(reader_->offset());
  } else if (next_row_ < first_fields_.size()) {
    split_.MoveTo(reader_->offset() + reader_->index().row_begin(index_rows_[next_row_]));
  } else {
    split_.MoveTo(reader_->offset() + reader_->text().size());
  }
}

v1::SplitPosition CsvSource::Position() const { return split_.Position(log_.split_bad_rows()); }

absl::Status CsvSource::Close() {
  reader_.reset();
  first_fields_.clear();
  next_row_ = 0;
  split_.End();
  return absl::OkStatus();
}

}  // namespace millrace
