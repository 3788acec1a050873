#include "worker/connectors/file/json_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "millrace/v1/split.pb.h"
#include "worker/connectors/file/json_row_parser.h"

namespace millrace {
namespace {

constexpr size_t kBlockBytes = size_t{256} << 10;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

JsonColumns OutputColumns(const FileScan& scan) {
  JsonColumns columns;
  for (size_t i = 0; i < scan.projection.size(); ++i) {
    columns.fields.push_back(scan.output_field(i));
    columns.outputs.push_back(i);
  }
  return columns;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> JsonSource::Create(FileScan scan, FileSystem& file_system) {
  MR_ASSIGN_OR_RETURN(RowBatchBuilder batch, RowBatchBuilder::Create(scan));
  return std::unique_ptr<Source>(new JsonSource(std::move(scan), file_system, std::move(batch)));
}

JsonSource::JsonSource(FileScan scan, FileSystem& file_system, RowBatchBuilder batch)
    : scan_(std::move(scan)),
      file_system_(file_system),
      batch_(std::move(batch)),
      columns_(OutputColumns(scan_)),
      parser_(std::make_unique<JsonRowParser>(columns_.keys())),
      log_(scan_.options.bad_rows) {}

JsonSource::~JsonSource() = default;

absl::Status JsonSource::Open(const v1::Split& split) {
  window_.reset();
  passed_bytes_ = 0;
  MR_RETURN_IF_ERROR(split_.Open(file_system_, scan_, split));
  log_.BeginFile(file_system_, split_.path(), ReadCompression(scan_.options, split_.path()),
                 split_.resumed_bad_rows());
  MR_RETURN_IF_ERROR(split_.FindFirstRow(file_system_, 0));
  if (split_.ended()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(auto stream, split_.OpenText(file_system_));
  window_ = std::make_unique<TextWindow>(std::move(stream), split_.path(), split_.position());
  return absl::OkStatus();
}

absl::StatusOr<bool> JsonSource::NextLine(absl::string_view* line) {
  while (true) {
    if (window_->offset() + passed_bytes_ >= split_.end_byte()) return false;
    const absl::string_view rest = window_->text().substr(passed_bytes_);
    const void* found = rest.empty() ? nullptr : std::memchr(rest.data(), '\n', rest.size());
    if (found != nullptr) {
      *line = rest.substr(0, static_cast<size_t>(static_cast<const char*>(found) - rest.data()));
      passed_bytes_ += line->size() + 1;
      return true;
    }
    if (window_->at_end()) {
      // The line of a file that grows is there when its line feed is.
      if (rest.empty() || split_.follows()) return false;
      window_->AppendLineEnd();
      continue;
    }
    window_->Drop(passed_bytes_);
    passed_bytes_ = 0;
    MR_RETURN_IF_ERROR(window_->Fill(kBlockBytes));
  }
}

absl::StatusOr<PollResult> JsonSource::Poll(const PollBudget& budget, Batch* batch) {
  bool idle = false;
  // Malformed rows count too: what is given out and what is left out is little if little is asked.
  const uint64_t rows_end = split_.rows_passed() + static_cast<uint64_t>(budget.rows_max);
  while (!split_.ended() && !batch_.full(budget) && split_.rows_passed() < rows_end) {
    absl::string_view line;
    MR_ASSIGN_OR_RETURN(const bool more, NextLine(&line));
    if (!more) {
      idle = split_.follows();
      if (!idle) split_.End();
      break;
    }
    // Counts blank lines and rows of no columns too, so that Poll ends.
    batch_.CountBytes(static_cast<int64_t>(line.size()) + 1);
    if (window_->offset() + passed_bytes_ == line.size() + 1 &&
        line.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      line.remove_prefix(kByteOrderMark.size());
    }
    if (!absl::StripAsciiWhitespace(line).empty()) MR_RETURN_IF_ERROR(AppendLine(line));
  }
  if (window_ != nullptr) split_.MoveTo(window_->offset() + passed_bytes_);
  MR_ASSIGN_OR_RETURN(*batch, batch_.Finish());
  if (split_.ended()) return PollResult::kEnd;
  return idle ? PollResult::kIdle : PollResult::kRows;
}

absl::Status JsonSource::AppendLine(absl::string_view line) {
  const uint64_t line_position = window_->offset() + passed_bytes_ - line.size() - 1;
  split_.PassRows(1);
  if (const absl::Status parsed = parser_->Parse(line); !parsed.ok()) {
    return log_.Add(line_position, line, "", parsed);
  }
  RowFault fault;
  MR_RETURN_IF_ERROR(AppendJsonValues(*parser_, columns_, batch_, &fault));
  if (!fault.reason.ok()) {
    batch_.LeaveOut(batch_.num_rows());
    MR_RETURN_IF_ERROR(log_.Add(line_position, line, fault.column, fault.reason));
  }
  batch_.CountRows(1);
  return absl::OkStatus();
}

v1::SplitPosition JsonSource::Position() const { return split_.Position(log_.split_bad_rows()); }

absl::Status JsonSource::Close() {
  window_.reset();
  split_.End();
  return absl::OkStatus();
}

}  // namespace millrace
