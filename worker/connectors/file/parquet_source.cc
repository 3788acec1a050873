#include "worker/connectors/file/parquet_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "arrow/record_batch.h"
#include "arrow/type.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> ParquetSource::Create(FileScan scan,
                                                              FileSystem& file_system) {
  return std::unique_ptr<Source>(new ParquetSource(std::move(scan), file_system));
}

ParquetSource::ParquetSource(FileScan scan, FileSystem& file_system)
    : scan_(std::move(scan)), bounds_(FindColumnBounds(scan_.filter)), file_system_(file_system) {}

absl::Status ParquetSource::Open(const v1::Split& split) {
  MR_ASSIGN_OR_RETURN(const v1::FileSplit* file, FileSplitOf(split));
  MR_RETURN_IF_ERROR(CheckPinned(file_system_, *file));
  split_id_ = split.id();
  split_ = *file;
  rows_.reset();
  pending_.reset();
  uncounted_rows_ = 0;
  rows_passed_ = 0;
  rows_to_pass_ = split.resume().offset();
  ended_ = split.resume().ended();
  verification_.reset();
  if (file->immutable()) {
    MR_ASSIGN_OR_RETURN(verification_, SegmentVerification::Begin(file_system_, *file));
  }
  return verification_ == nullptr ? OpenRowGroups() : absl::OkStatus();
}

absl::Status ParquetSource::OpenRowGroups() {
  MR_RETURN_IF_ERROR(OpenFile(split_));
  const int num_groups = file_->num_row_groups();
  next_row_group_ = static_cast<int>(split_.first_row_group());
  end_row_group_ = split_.num_row_groups() == 0
                       ? num_groups
                       : next_row_group_ + static_cast<int>(split_.num_row_groups());
  if (next_row_group_ > num_groups || end_row_group_ > num_groups) {
    return MakeError(SqlState::kDataCorrupted,
                     absl::StrCat("\"", split_.path(), "\" has only ", num_groups, " row groups"));
  }
  return absl::OkStatus();
}

absl::Status ParquetSource::OpenFile(const v1::FileSplit& split) {
  const bool same_path = file_ != nullptr && file_info_.path == split.path();
  const bool same_file = split.mtime_micros() != 0 &&
                         file_info_.mtime_micros == split.mtime_micros() &&
                         file_info_.size_bytes == split.size_bytes();
  if (same_path && (split.immutable() || same_file)) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(file_, ParquetFile::Open(file_system_, split.path()));
  file_info_ = FileInfo{split.path(), split.size_bytes(), split.mtime_micros()};
  fields_.clear();
  columns_.clear();
  for (size_t i = 0; i < scan_.projection.size(); ++i) {
    const Field& declared = scan_.output_field(i);
    MR_ASSIGN_OR_RETURN(const int field, FindField(declared.name));
    MR_ASSIGN_OR_RETURN(
        ParquetColumn column,
        ParquetColumn::Create(*file_->schema().field(field)->type(), declared, split.path()));
    fields_.push_back(field);
    columns_.push_back(std::move(column));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> ParquetSource::FindField(const std::string& name) const {
  const std::vector<std::string> names = file_->schema().field_names();
  for (const bool ignore_case : {false, true}) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (ignore_case ? absl::EqualsIgnoreCase(names[i], name) : names[i] == name) {
        return static_cast<int>(i);
      }
    }
  }
  return MakeError(SqlState::kUndefinedColumn,
                   absl::StrCat("\"", file_->path(), "\" has no column \"", name, "\""),
                   NearestNameHint(name, names));
}

bool ParquetSource::MayMatch(int row_group) const {
  for (const ColumnBound& bound : bounds_) {
    const auto output = static_cast<size_t>(bound.output);
    if (output >= columns_.size() || columns_[output].unit_factor() == 0) continue;
    const std::optional<ParquetRange> range = file_->RangeOf(row_group, fields_[output]);
    if (range.has_value() && !MayPass(bound, *range, columns_[output].unit_factor())) return false;
  }
  return true;
}

absl::StatusOr<bool> ParquetSource::NextRowGroup() {
  while (next_row_group_ < end_row_group_) {
    const int row_group = next_row_group_++;
    const auto num_rows = static_cast<uint64_t>(file_->row_group_rows(row_group));
    const bool is_behind = rows_to_pass_ > 0 && rows_to_pass_ >= num_rows;
    if (is_behind || !MayMatch(row_group)) {
      skipped_row_groups_ += is_behind ? 0 : 1;
      rows_passed_ += num_rows;
      rows_to_pass_ -= std::min(rows_to_pass_, num_rows);
      continue;
    }
    if (fields_.empty()) {
      uncounted_rows_ = static_cast<int64_t>(num_rows - rows_to_pass_);
      rows_passed_ += std::exchange(rows_to_pass_, 0);
      return true;
    }
    MR_ASSIGN_OR_RETURN(rows_, file_->ReadRowGroup(row_group, fields_));
    return true;
  }
  return false;
}

absl::StatusOr<Batch> ParquetSource::NextRows(const PollBudget& budget) {
  if (uncounted_rows_ > 0) {
    const int64_t count = std::min(uncounted_rows_, budget.rows_max);
    uncounted_rows_ -= count;
    return Batch({}, count);
  }
  while (rows_ != nullptr && pending_ == nullptr) {
    MR_ASSIGN_OR_RETURN(pending_, rows_->Next());
    if (pending_ == nullptr) {
      rows_.reset();
      break;
    }
    // After a resume: rows that were given out before.
    const uint64_t passed = std::min(rows_to_pass_, static_cast<uint64_t>(pending_->num_rows()));
    rows_to_pass_ -= passed;
    rows_passed_ += passed;
    pending_begin_ = static_cast<int64_t>(passed);
    if (pending_begin_ == pending_->num_rows()) pending_.reset();
  }
  if (pending_ == nullptr) return Batch();
  const int64_t count = std::min(pending_->num_rows() - pending_begin_, budget.rows_max);
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (size_t i = 0; i < columns_.size(); ++i) {
    std::shared_ptr<arrow::Array> array = pending_->column(static_cast<int>(i));
    if (count < array->length()) array = array->Slice(pending_begin_, count);
    MR_ASSIGN_OR_RETURN(auto column, columns_[i].Convert(std::move(array)));
    columns.push_back(std::move(column));
  }
  pending_begin_ += count;
  if (pending_begin_ == pending_->num_rows()) pending_.reset();
  return Batch(std::move(columns), count);
}

absl::StatusOr<PollResult> ParquetSource::Poll(const PollBudget& budget, Batch* batch) {
  *batch = Batch();
  if (verification_ != nullptr) {
    MR_ASSIGN_OR_RETURN(const bool whole, verification_->Step());
    if (!whole) return PollResult::kRows;
    verification_.reset();
    MR_RETURN_IF_ERROR(OpenRowGroups());
  }
  const uint64_t rows_end = rows_passed_ + static_cast<uint64_t>(budget.rows_max);
  while (!ended_) {
    MR_ASSIGN_OR_RETURN(*batch, NextRows(budget));
    if (batch->num_rows() > 0) {
      rows_passed_ += static_cast<uint64_t>(batch->num_rows());
      return PollResult::kRows;
    }
    MR_ASSIGN_OR_RETURN(const bool more, NextRowGroup());
    ended_ = !more;
    // Row groups that were left out are a step of their own.
    if (more && rows_passed_ >= rows_end) return PollResult::kRows;
  }
  return PollResult::kEnd;
}

v1::SplitPosition ParquetSource::Position() const {
  v1::SplitPosition position;
  position.set_split_id(split_id_);
  position.set_offset(rows_passed_ + rows_to_pass_);
  position.set_rows(rows_passed_ + rows_to_pass_);
  position.set_ended(ended_);
  position.set_path(split_.path());
  return position;
}

absl::Status ParquetSource::Close() {
  rows_.reset();
  pending_.reset();
  verification_.reset();
  ended_ = true;
  return absl::OkStatus();
}

}  // namespace millrace
