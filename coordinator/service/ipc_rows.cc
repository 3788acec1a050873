#include "coordinator/service/ipc_rows.h"

#include <memory>
#include <utility>

#include "arrow/api.h"
#include "arrow/io/memory.h"
#include "arrow/ipc/reader.h"
#include "arrow/ipc/writer.h"
#include "common/base/status.h"
#include "common/types/arrow_status.h"
#include "millrace/v1/types.pb.h"

namespace millrace {
namespace {

// Writes what `write` adds to an IPC stream of `schema`, without the end marker.
template <typename Write>
absl::StatusOr<std::string> StreamBytes(const std::shared_ptr<arrow::Schema>& schema,
                                        const Write& write) {
  MR_ASSIGN_ARROW_OR_RETURN(auto output, arrow::io::BufferOutputStream::Create());
  MR_ASSIGN_ARROW_OR_RETURN(auto writer, arrow::ipc::MakeStreamWriter(output, schema));
  MR_RETURN_IF_ARROW_ERROR(write(*writer));
  MR_ASSIGN_ARROW_OR_RETURN(auto buffer, output->Finish());
  return buffer->ToString();
}

}  // namespace

absl::StatusOr<IpcMessages> EncodeBatch(const arrow::RecordBatch& batch) {
  IpcMessages messages;
  // The schema message goes out when the writer is closed; a writer with a batch has written both.
  MR_ASSIGN_OR_RETURN(
      messages.schema,
      StreamBytes(batch.schema(), [](arrow::ipc::RecordBatchWriter& out) { return out.Close(); }));
  constexpr size_t kEndMarkerBytes = 8;
  messages.schema.resize(messages.schema.size() - kEndMarkerBytes);
  MR_ASSIGN_OR_RETURN(const std::string all,
                      StreamBytes(batch.schema(), [&](arrow::ipc::RecordBatchWriter& out) {
                        return out.WriteRecordBatch(batch);
                      }));
  messages.batch = all.substr(messages.schema.size());
  return messages;
}

absl::Status WriteTextRows(const TextRows& rows, ResultSink& sink) {
  v1::Schema columns;
  arrow::FieldVector fields;
  for (const std::string& name : rows.columns) {
    v1::Field* field = columns.add_fields();
    field->set_name(name);
    field->mutable_type()->set_id(v1::TYPE_ID_TEXT);
    fields.push_back(arrow::field(name, arrow::utf8()));
  }
  std::vector<arrow::StringBuilder> builders(rows.columns.size());
  for (const auto& row : rows.rows) {
    for (size_t i = 0; i < builders.size(); ++i) {
      MR_RETURN_IF_ARROW_ERROR(builders[i].Append(row[i]));
    }
  }
  arrow::ArrayVector arrays;
  for (arrow::StringBuilder& builder : builders) {
    MR_ASSIGN_ARROW_OR_RETURN(auto array, builder.Finish());
    arrays.push_back(std::move(array));
  }
  const auto schema = arrow::schema(fields);
  const auto batch =
      arrow::RecordBatch::Make(schema, static_cast<int64_t>(rows.rows.size()), std::move(arrays));
  MR_ASSIGN_OR_RETURN(IpcMessages messages, EncodeBatch(*batch));
  MR_RETURN_IF_ERROR(sink.WriteSchema(columns, std::move(messages.schema)));
  if (rows.rows.empty()) return absl::OkStatus();
  return sink.WriteBatch(std::move(messages.batch), rows.rows.size());
}

absl::StatusOr<int64_t> ReadCount(const std::vector<std::string>& ipc_messages) {
  std::string stream;
  for (const std::string& message : ipc_messages) stream += message;
  const auto buffer = arrow::Buffer::FromString(std::move(stream));
  MR_ASSIGN_ARROW_OR_RETURN(auto reader, arrow::ipc::RecordBatchStreamReader::Open(
                                             std::make_shared<arrow::io::BufferReader>(buffer)));
  int64_t count = 0;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    MR_RETURN_IF_ARROW_ERROR(reader->ReadNext(&batch));
    if (batch == nullptr) return count;
    if (batch->num_columns() != 1 || batch->column(0)->type_id() != arrow::Type::INT64) {
      return InternalError("a sink's result is not one bigint");
    }
    const auto& values = static_cast<const arrow::Int64Array&>(*batch->column(0));
    for (int64_t row = 0; row < values.length(); ++row) {
      if (values.IsValid(row)) count += values.Value(row);
    }
  }
}

}  // namespace millrace
