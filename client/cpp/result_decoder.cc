#include "client/cpp/result_decoder.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/message.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "common/base/status.h"
#include "common/types/arrow_status.h"
#include "millrace/v1/sql_service.pb.h"

namespace millrace {

absl::Status ResultDecoder::SetSchema(const v1::ResultSchema& schema) {
  schema_.clear();
  for (const v1::Field& field : schema.schema().fields()) schema_.push_back(FromProto(field));
  arrow_schema_ = ToArrowSchema(schema_);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> ResultDecoder::Decode(
    const v1::ResultBatch& batch) const {
  if (arrow_schema_ == nullptr) {
    return MakeError(SqlState::kProtocolViolation, "the server sent rows before a schema");
  }
  arrow::io::BufferReader input(arrow::Buffer::FromString(batch.ipc_message()));
  MR_ASSIGN_ARROW_OR_RETURN(auto message, arrow::ipc::ReadMessage(&input));
  if (message == nullptr) {
    return MakeError(SqlState::kProtocolViolation, "the server sent an empty batch message");
  }
  arrow::ipc::DictionaryMemo dictionaries;
  MR_ASSIGN_ARROW_OR_RETURN(auto decoded,
                            arrow::ipc::ReadRecordBatch(*message, arrow_schema_, &dictionaries,
                                                        arrow::ipc::IpcReadOptions::Defaults()));
  MR_RETURN_IF_ARROW_ERROR(decoded->Validate());
  return decoded;
}

}  // namespace millrace
