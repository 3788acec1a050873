#include "worker/exchange/batch_codec.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/message.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/types/arrow_status.h"
#include "worker/runtime/batch_coalescer.h"

namespace millrace {
namespace {

// IPC bodies are aligned to 8 bytes; vector code wants 16 for 128-bit values.
constexpr uintptr_t kDecimalAlignment = 16;
// No batch comes near it; a frame that claims more is damaged.
constexpr uint64_t kBodySizeMax = uint64_t{4} << 30;

arrow::ipc::IpcWriteOptions WriteOptions() {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.use_threads = false;
  return options;
}

std::shared_ptr<arrow::Buffer> Zeros(int64_t size) {
  static const char kZeros[64] = {};
  return std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(kZeros), size);
}

std::shared_ptr<arrow::Schema> SchemaOf(const Batch& batch) {
  arrow::FieldVector fields;
  for (const auto& column : batch.columns()) fields.push_back(arrow::field("", column->type()));
  return arrow::schema(std::move(fields));
}

std::shared_ptr<arrow::Schema> WithWeights(const arrow::Schema& schema) {
  arrow::FieldVector fields = schema.fields();
  fields.push_back(arrow::field("", arrow::int64()));
  return arrow::schema(std::move(fields));
}

// Appends the payload's body as it stands on the wire: every buffer padded to 8 bytes.
void AppendBody(const arrow::ipc::IpcPayload& payload,
                std::vector<std::shared_ptr<arrow::Buffer>>* parts) {
  for (const auto& buffer : payload.body_buffers) {
    if (buffer == nullptr || buffer->size() == 0) continue;
    parts->push_back(buffer);
    const int64_t padding = (8 - buffer->size() % 8) % 8;
    if (padding > 0) parts->push_back(Zeros(padding));
  }
}

absl::StatusOr<arrow::ipc::IpcPayload> MakePayload(const Batch& batch,
                                                   const std::shared_ptr<arrow::Schema>& schema,
                                                   const arrow::ArrayVector& columns) {
  arrow::ipc::IpcPayload payload;
  const auto record_batch = arrow::RecordBatch::Make(schema, batch.num_rows(), columns);
  MR_RETURN_IF_ARROW_ERROR(
      arrow::ipc::GetRecordBatchPayload(*record_batch, WriteOptions(), &payload));
  return payload;
}

// The same array with values that vector code can load.
std::shared_ptr<arrow::Array> AlignDecimals(const std::shared_ptr<arrow::Array>& array) {
  if (array->type_id() != arrow::Type::DECIMAL128) return array;
  const auto& values = array->data()->buffers[1];
  if (values == nullptr || values->address() % kDecimalAlignment == 0) return array;
  auto copy = values->CopySlice(0, values->size());
  if (!copy.ok()) return array;
  auto aligned = array->data()->Copy();
  aligned->buffers[1] = *std::move(copy);
  return arrow::MakeArray(aligned);
}

absl::Status ProtocolError(absl::string_view what) {
  return MakeError(SqlState::kProtocolViolation, absl::StrCat("damaged exchange frame: ", what));
}

}  // namespace

BatchEncoder::BatchEncoder() = default;
BatchEncoder::~BatchEncoder() = default;

absl::StatusOr<EncodedBatch> BatchEncoder::Encode(const Batch& batch) {
  MR_ASSIGN_OR_RETURN(const Batch plain, DecodeDictionaries(batch));
  EncodedBatch encoded;
  auto schema = SchemaOf(plain);
  if (schema_ == nullptr) {
    schema_ = schema;
    MR_ASSIGN_ARROW_OR_RETURN(encoded.schema, arrow::ipc::SerializeSchema(*schema_));
  } else if (!schema_->Equals(*schema)) {
    return InternalError(absl::StrCat("the columns of an exchange changed from ",
                                      schema_->ToString(), " to ", schema->ToString()));
  }
  arrow::ArrayVector columns = plain.columns();
  encoded.has_weights = plain.weights() != nullptr;
  if (encoded.has_weights) {
    schema = WithWeights(*schema_);
    columns.push_back(plain.weights());
  }
  MR_ASSIGN_OR_RETURN(arrow::ipc::IpcPayload payload, MakePayload(plain, schema, columns));
  encoded.metadata = std::move(payload.metadata);
  encoded.body_size = payload.body_length;
  AppendBody(payload, &encoded.body);
  return encoded;
}

BatchDecoder::BatchDecoder() = default;
BatchDecoder::~BatchDecoder() = default;

absl::StatusOr<uint8_t*> BatchDecoder::BeginChunk(ChunkHeader header, uint64_t size) {
  if (!in_batch_) {
    if (header.body_offset != 0 || header.body_size > kBodySizeMax) {
      return ProtocolError("a batch begins in its middle");
    }
    if (!header.schema.empty()) {
      arrow::io::BufferReader reader(
          std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(header.schema.data()),
                                          static_cast<int64_t>(header.schema.size())));
      arrow::ipc::DictionaryMemo memo;
      MR_ASSIGN_ARROW_OR_RETURN(schema_, arrow::ipc::ReadSchema(&reader, &memo));
      schema_with_weights_ = WithWeights(*schema_);
    }
    if (schema_ == nullptr) return ProtocolError("a batch came before the schema");
    metadata_ = std::move(header.metadata);
    body_size_ = header.body_size;
    has_weights_ = header.has_weights;
    received_ = 0;
    MR_ASSIGN_ARROW_OR_RETURN(auto body, arrow::AllocateBuffer(static_cast<int64_t>(body_size_)));
    body_ = std::move(body);
    in_batch_ = true;
  }
  if (header.body_offset != received_ || size > body_size_ - received_) {
    return ProtocolError("a chunk is missing");
  }
  uint8_t* const target = body_->mutable_data() + received_;
  received_ += size;
  return target;
}

absl::StatusOr<std::optional<Batch>> BatchDecoder::EndChunk() {
  if (!in_batch_ || received_ < body_size_) return std::nullopt;
  in_batch_ = false;
  MR_ASSIGN_OR_RETURN(Batch batch, Decode());
  return batch;
}

absl::StatusOr<Batch> BatchDecoder::Decode() {
  MR_ASSIGN_ARROW_OR_RETURN(
      const auto message,
      arrow::ipc::Message::Open(arrow::Buffer::FromString(std::move(metadata_)), std::move(body_)));
  arrow::ipc::DictionaryMemo memo;
  auto options = arrow::ipc::IpcReadOptions::Defaults();
  options.use_threads = false;
  MR_ASSIGN_ARROW_OR_RETURN(
      const auto record_batch,
      arrow::ipc::ReadRecordBatch(*message, has_weights_ ? schema_with_weights_ : schema_, &memo,
                                  options));
  arrow::ArrayVector columns;
  columns.reserve(static_cast<size_t>(record_batch->num_columns()));
  for (const auto& column : record_batch->columns()) columns.push_back(AlignDecimals(column));
  std::shared_ptr<arrow::Int64Array> weights;
  if (has_weights_) {
    weights = std::static_pointer_cast<arrow::Int64Array>(columns.back());
    columns.pop_back();
  }
  return Batch(std::move(columns), record_batch->num_rows(), std::move(weights));
}

absl::StatusOr<IpcMessageParts> EncodeIpcMessage(const Batch& batch,
                                                 const std::shared_ptr<arrow::Schema>& schema) {
  if (batch.num_columns() != schema->num_fields()) {
    return InternalError(absl::StrCat("the result has ", batch.num_columns(), " columns, not ",
                                      schema->num_fields()));
  }
  for (int i = 0; i < batch.num_columns(); ++i) {
    const arrow::Field& field = *schema->field(i);
    if (batch.column(i)->type()->Equals(*field.type())) continue;
    return InternalError(absl::StrCat("column ", field.name(), " of the result is ",
                                      batch.column(i)->type()->ToString(), ", not ",
                                      field.type()->ToString()));
  }
  MR_ASSIGN_OR_RETURN(arrow::ipc::IpcPayload payload, MakePayload(batch, schema, batch.columns()));
  // Continuation marker, length of the metadata with its padding, metadata.
  const int64_t padded = (payload.metadata->size() + 7) / 8 * 8;
  std::string prefix(static_cast<size_t>(8 + padded), '\0');
  const int32_t marker = -1;
  const auto length = static_cast<int32_t>(padded);
  std::memcpy(prefix.data(), &marker, 4);
  std::memcpy(prefix.data() + 4, &length, 4);
  std::memcpy(prefix.data() + 8, payload.metadata->data(),
              static_cast<size_t>(payload.metadata->size()));
  IpcMessageParts message;
  message.size = static_cast<int64_t>(prefix.size()) + payload.body_length;
  message.parts.push_back(arrow::Buffer::FromString(std::move(prefix)));
  AppendBody(payload, &message.parts);
  return message;
}

absl::StatusOr<IpcMessageParts> EncodeIpcSchema(const arrow::Schema& schema) {
  MR_ASSIGN_ARROW_OR_RETURN(auto buffer, arrow::ipc::SerializeSchema(schema));
  IpcMessageParts message;
  message.size = buffer->size();
  message.parts.push_back(std::move(buffer));
  return message;
}

}  // namespace millrace
