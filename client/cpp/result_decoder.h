#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"
#include "common/types/sql_type.h"

namespace millrace {

namespace v1 {
class ResultBatch;
class ResultSchema;
}  // namespace v1

// Turns the Arrow IPC messages of one result set into record batches. The batches refer to a copy
// of the message's bytes, so they may outlive it. What a server sends is not trusted: batches are
// validated.
class ResultDecoder {
 public:
  // Begins a result set.
  absl::Status SetSchema(const v1::ResultSchema& schema);
  // Valid after SetSchema.
  const Schema& schema() const { return schema_; }
  // Columns of the decoded batches; null before SetSchema.
  const std::shared_ptr<arrow::Schema>& arrow_schema() const { return arrow_schema_; }
  absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> Decode(const v1::ResultBatch& batch) const;

 private:
  Schema schema_;
  std::shared_ptr<arrow::Schema> arrow_schema_;
};

}  // namespace millrace
