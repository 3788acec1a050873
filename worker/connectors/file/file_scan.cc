#include "worker/connectors/file/file_scan.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "arrow/buffer_builder.h"
#include "arrow/compute/api_vector.h"
#include "arrow/datum.h"
#include "common/base/status.h"
#include "common/types/arrow_status.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/split.pb.h"
#include "worker/connectors/source.h"

namespace millrace {

absl::StatusOr<FileScan> MakeFileScan(const v1::ScanNode& node) {
  FileScan scan;
  scan.table_name = node.table_name();
  if (node.connector() == "table") {
    scan.options.format = FileFormat::kParquet;
  } else {
    MR_ASSIGN_OR_RETURN(scan.options, ParseFileOptions(ToOptionMap(node.options())));
  }
  for (const v1::Field& field : node.columns()) scan.columns.push_back(FromProto(field));
  for (const uint32_t column : node.projection()) {
    if (column >= scan.columns.size()) return InternalError("scan projects a missing column");
    scan.projection.push_back(static_cast<int>(column));
  }
  // Which rows are late depends on all rows before them, also on those that a filter leaves out.
  if (node.has_filter() && !node.has_watermark()) {
    MR_ASSIGN_OR_RETURN(const ExprPtr filter, FromProto(node.filter()));
    scan.filter = SplitConjunction(filter);
  }
  return scan;
}

FollowPolicy FollowPolicyOf(const FileOptions& options) {
  return {options.follow_interval_micros, options.idle_timeout_micros};
}

absl::Status CheckPinned(FileSystem& file_system, const v1::FileSplit& split) {
  if (split.immutable() || (split.size_bytes() == 0 && split.mtime_micros() == 0)) {
    return absl::OkStatus();
  }
  MR_ASSIGN_OR_RETURN(const FileInfo info, file_system.Stat(split.path()));
  if (info.size_bytes == split.size_bytes() && info.mtime_micros == split.mtime_micros()) {
    return absl::OkStatus();
  }
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   absl::StrCat("the file \"", split.path(),
                                "\" has changed since the statement began to read it"),
                   "files are read as they were when the statement began: write new files under "
                   "new names");
}

absl::StatusOr<const v1::FileSplit*> FileSplitOf(const v1::Split& split) {
  if (!split.has_file()) return InternalError("a file scan got a split without a file");
  return &split.file();
}

absl::StatusOr<Batch> WithoutRows(const Batch& batch, const std::vector<int64_t>& bad_rows) {
  arrow::TypedBufferBuilder<int64_t> kept;
  MR_RETURN_IF_ARROW_ERROR(kept.Reserve(batch.num_rows()));
  size_t next_bad = 0;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    if (next_bad < bad_rows.size() && bad_rows[next_bad] == row) {
      ++next_bad;
    } else {
      kept.UnsafeAppend(row);
    }
  }
  const int64_t num_kept = kept.length();
  MR_ASSIGN_ARROW_OR_RETURN(std::shared_ptr<arrow::Buffer> buffer, kept.Finish());
  const arrow::Int64Array indices(num_kept, std::move(buffer));
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const auto& column : batch.columns()) {
    MR_ASSIGN_ARROW_OR_RETURN(auto taken, arrow::compute::Take(*column, indices));
    columns.push_back(std::move(taken));
  }
  return Batch(std::move(columns), num_kept);
}

}  // namespace millrace
