#include "worker/connectors/file/json_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "millrace/v1/split.pb.h"
#include "worker/connectors/file/json_row_parser.h"
#include "worker/connectors/file/line_range.h"

namespace millrace {
namespace {

constexpr size_t kBlockBytes = size_t{256} << 10;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::vector<std::string> OutputNames(const FileScan& scan) {
  std::vector<std::string> names;
  for (size_t i = 0; i < scan.projection.size(); ++i) names.push_back(scan.output_field(i).name);
  return names;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> JsonSource::Create(FileScan scan, FileSystem& file_system) {
  std::vector<std::unique_ptr<ColumnBuilder>> builders;
  for (size_t i = 0; i < scan.projection.size(); ++i) {
    MR_ASSIGN_OR_RETURN(builders.emplace_back(), ColumnBuilder::Create(scan.output_field(i).type));
  }
  return std::unique_ptr<Source>(new JsonSource(std::move(scan), file_system, std::move(builders)));
}

JsonSource::JsonSource(FileScan scan, FileSystem& file_system,
                       std::vector<std::unique_ptr<ColumnBuilder>> builders)
    : scan_(std::move(scan)),
      file_system_(file_system),
      builders_(std::move(builders)),
      parser_(std::make_unique<JsonRowParser>(OutputNames(scan_))),
      log_(file_system, scan_.options) {}

JsonSource::~JsonSource() = default;

absl::Status JsonSource::Open(const v1::Split& split) {
  MR_ASSIGN_OR_RETURN(const v1::FileSplit* file, FileSplitOf(split));
  MR_RETURN_IF_ERROR(CheckPinned(file_system_, *file));
  const Compression compression = ReadCompression(scan_.options, file->path());
  split_id_ = split.id();
  path_ = file->path();
  const bool to_end = file->end_byte() == 0 || compression != Compression::kNone;
  end_byte_ = to_end ? UINT64_MAX : file->end_byte();
  rows_passed_ = split.resume().rows();
  log_.BeginFile(path_, split.resume().bad_rows());
  position_ = 0;
  if (split.has_resume()) {
    position_ = split.resume().offset();
  } else if (file->begin_byte() > 0) {
    if (compression != Compression::kNone) return InternalError("a compressed file was cut");
    MR_ASSIGN_OR_RETURN(position_, FindFirstLine(file_system_, path_, file->begin_byte()));
  }
  passed_bytes_ = 0;
  ended_ = split.resume().ended() || position_ >= end_byte_;
  if (ended_) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(auto stream, ByteStream::Open(file_system_, path_, compression, position_));
  window_ = std::make_unique<TextWindow>(std::move(stream), path_, position_);
  return absl::OkStatus();
}

absl::StatusOr<bool> JsonSource::NextLine(absl::string_view* line) {
  while (true) {
    if (window_->offset() + passed_bytes_ >= end_byte_) return false;
    const absl::string_view rest = window_->text().substr(passed_bytes_);
    const void* found = rest.empty() ? nullptr : std::memchr(rest.data(), '\n', rest.size());
    if (found != nullptr) {
      *line = rest.substr(0, static_cast<size_t>(static_cast<const char*>(found) - rest.data()));
      passed_bytes_ += line->size() + 1;
      return true;
    }
    if (window_->at_end()) {
      if (rest.empty()) return false;
      window_->AppendLineEnd();
      continue;
    }
    window_->Drop(passed_bytes_);
    passed_bytes_ = 0;
    MR_RETURN_IF_ERROR(window_->Fill(kBlockBytes));
  }
}

absl::StatusOr<PollResult> JsonSource::Poll(const PollBudget& budget, Batch* batch) {
  while (!ended_ && batch_rows_ < budget.rows_max && batch_bytes_ < budget.bytes_max) {
    absl::string_view line;
    MR_ASSIGN_OR_RETURN(const bool more, NextLine(&line));
    ended_ = !more;
    if (ended_) break;
    // Counts blank lines and rows of no columns too, so that Poll ends.
    batch_bytes_ += static_cast<int64_t>(line.size()) + 1;
    if (window_->offset() + passed_bytes_ == line.size() + 1 &&
        line.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      line.remove_prefix(kByteOrderMark.size());
    }
    if (!absl::StripAsciiWhitespace(line).empty()) MR_RETURN_IF_ERROR(AppendLine(line));
  }
  if (window_ != nullptr) position_ = window_->offset() + passed_bytes_;
  MR_ASSIGN_OR_RETURN(*batch, FinishBatch());
  return ended_ ? PollResult::kEnd : PollResult::kRows;
}

absl::Status JsonSource::AppendLine(absl::string_view line) {
  const uint64_t line_position = window_->offset() + passed_bytes_ - line.size() - 1;
  ++rows_passed_;
  if (const absl::Status parsed = parser_->Parse(line); !parsed.ok()) {
    return log_.Add(line_position, line, "", parsed);
  }
  absl::Status reason;
  std::string bad_column;
  for (size_t i = 0; i < builders_.size(); ++i) {
    const JsonValue& value = parser_->values()[i];
    MR_RETURN_IF_ERROR(builders_[i]->Reserve(1, static_cast<int64_t>(value.text.size())));
    const Field& field = scan_.output_field(i);
    const bool fits = value.kind != JsonValue::Kind::kNested || field.type.is_string();
    // simdjson has checked the line; only "\\u0000" can still be wrong.
    builders_[i]->set_check_text(value.text.find('\0') != absl::string_view::npos);
    if (value.kind == JsonValue::Kind::kNull) {
      builders_[i]->AppendNull();
    } else if (!fits || !builders_[i]->AppendText(value.text)) {
      builders_[i]->AppendNull();
      if (!reason.ok()) continue;
      bad_column = field.name;
      reason = builders_[i]->ExplainFailure(value.text);
    }
  }
  if (!reason.ok()) {
    batch_bad_rows_.push_back(batch_rows_);
    MR_RETURN_IF_ERROR(log_.Add(line_position, line, bad_column, reason));
  }
  ++batch_rows_;
  return absl::OkStatus();
}

absl::StatusOr<Batch> JsonSource::FinishBatch() {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const auto& builder : builders_) {
    MR_ASSIGN_OR_RETURN(auto column, builder->Finish());
    columns.push_back(std::move(column));
  }
  Batch batch(std::move(columns), std::exchange(batch_rows_, 0));
  batch_bytes_ = 0;
  if (batch_bad_rows_.empty()) return batch;
  return WithoutRows(batch, std::exchange(batch_bad_rows_, {}));
}

v1::SplitPosition JsonSource::Position() const {
  v1::SplitPosition position;
  position.set_split_id(split_id_);
  position.set_offset(position_);
  position.set_rows(rows_passed_);
  position.set_ended(ended_);
  position.set_path(path_);
  position.set_bad_rows(log_.split_bad_rows());
  return position;
}

absl::Status JsonSource::Close() {
  window_.reset();
  ended_ = true;
  return absl::OkStatus();
}

}  // namespace millrace
