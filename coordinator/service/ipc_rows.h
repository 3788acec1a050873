#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"
#include "coordinator/service/result_sink.h"

namespace millrace {

// A small result that the coordinator makes itself: text columns, one vector for each row.
struct TextRows {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

// Writes the rows as a result set.
absl::Status WriteTextRows(const TextRows& rows, ResultSink& sink);

// The messages of an Arrow IPC stream with one batch.
struct IpcMessages {
  std::string schema;
  std::string batch;
};
// Of a batch whose columns have the schema's Arrow types.
absl::StatusOr<IpcMessages> EncodeBatch(const arrow::RecordBatch& batch);

// The one bigint of a one-row result, given the IPC messages of its schema and of its batches; the
// count of a sink.
absl::StatusOr<int64_t> ReadCount(const std::vector<std::string>& ipc_messages);

}  // namespace millrace
