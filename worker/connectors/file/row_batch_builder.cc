#include "worker/connectors/file/row_batch_builder.h"

#include <utility>

#include "arrow/array.h"
#include "common/base/status.h"

namespace millrace {

absl::StatusOr<RowBatchBuilder> RowBatchBuilder::Create(const FileScan& scan) {
  Schema output;
  for (size_t i = 0; i < scan.projection.size(); ++i) output.push_back(scan.output_field(i));
  return Create(output);
}

absl::StatusOr<RowBatchBuilder> RowBatchBuilder::Create(const Schema& output) {
  RowBatchBuilder builder;
  for (const Field& field : output) {
    MR_ASSIGN_OR_RETURN(builder.columns_.emplace_back(), ColumnBuilder::Create(field.type));
  }
  return builder;
}

absl::StatusOr<Batch> RowBatchBuilder::Finish() {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const auto& builder : columns_) {
    MR_ASSIGN_OR_RETURN(auto column, builder->Finish());
    columns.push_back(std::move(column));
  }
  Batch batch(std::move(columns), std::exchange(num_rows_, 0));
  num_bytes_ = 0;
  if (left_out_.empty()) return batch;
  return WithoutRows(batch, std::exchange(left_out_, {}));
}

}  // namespace millrace
