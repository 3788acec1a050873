#include "worker/connectors/kafka/kafka_sink.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "common/types/text_format.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

// With more than this under way no further batch is taken.
constexpr int64_t kInFlightMax = 50'000;
constexpr int64_t kBytesInFlightMax = int64_t{32} << 20;
// Answers of the brokers are looked at after so many rows.
constexpr int64_t kRowsBetweenLooks = 1024;

}  // namespace

KafkaSink::KafkaSink(KafkaOptions options, Schema columns, const AddressPolicy& policy,
                     KafkaSinkInput input)
    : options_(std::move(options)), columns_(std::move(columns)), policy_(policy), input_(input) {}

KafkaSink::~KafkaSink() { Close().IgnoreError(); }

absl::Status KafkaSink::ChooseColumns() {
  Schema values;
  for (size_t i = 0; i < columns_.size(); ++i) {
    switch (options_.fields[i]) {
      case KafkaField::kValue:
        value_columns_.push_back(static_cast<int>(i));
        values.push_back(columns_[i]);
        break;
      case KafkaField::kKey:
        key_column_ = static_cast<int>(i);
        break;
      case KafkaField::kTimestamp:
        timestamp_column_ = static_cast<int>(i);
        break;
      case KafkaField::kHeaders:
      case KafkaField::kPartition:
      case KafkaField::kOffset:
        return MakeError(SqlState::kFeatureNotSupported,
                         absl::StrCat("writing to a table whose column \"", columns_[i].name,
                                      "\" stands for headers, partition or offset is not "
                                      "supported"),
                         "write to another table over the topic, without that column");
    }
  }
  if (options_.format == KafkaFormat::kJson) formatter_ = MakeJsonFormatter(values);
  if (options_.format == KafkaFormat::kCsv) formatter_ = MakeCsvFormatter(options_.csv, values);
  return absl::OkStatus();
}

absl::Status KafkaSink::Open() {
  MR_RETURN_IF_ERROR(ChooseColumns());
  MR_ASSIGN_OR_RETURN(client_, KafkaClient::Create(KafkaRole::kProducer, options_, policy_, this));
  topic_ = rd_kafka_topic_new(client_->handle(), options_.topic.c_str(), nullptr);
  if (topic_ != nullptr) return absl::OkStatus();
  const rd_kafka_resp_err_t error = rd_kafka_last_error();
  return WithTopic(FromKafka(error, rd_kafka_err2str(error)));
}

absl::Status KafkaSink::WithTopic(const absl::Status& error) const {
  const absl::Status named = WithContext(error, absl::StrCat("topic \"", options_.topic, "\""));
  return input_ == KafkaSinkInput::kStream ? named : ForEndingStatement(named);
}

absl::StatusOr<bool> KafkaSink::Ready(SinkCall call) {
  client_->Serve();
  MR_RETURN_IF_ERROR(WithTopic(delivery_));
  MR_RETURN_IF_ERROR(WithTopic(client_->fatal_error()));
  const std::string trouble = client_->trouble();
  waiting_for_ = trouble.empty() ? "broker" : absl::StrCat("broker: ", trouble);
  if (call == SinkCall::kPrepare) return num_in_flight_ == 0;
  return num_in_flight_ <= kInFlightMax && bytes_in_flight_ <= kBytesInFlightMax;
}

absl::Status KafkaSink::Write(const Batch& batch) {
  text_.clear();
  ends_.clear();
  if (formatter_ != nullptr) {
    std::vector<std::shared_ptr<arrow::Array>> values;
    for (const int column : value_columns_) values.push_back(batch.column(column));
    formatter_->Append(Batch(std::move(values), batch.num_rows()), &text_, &ends_);
  }
  size_t begin = 0;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    if (formatter_ == nullptr) {
      MR_RETURN_IF_ERROR(SendRow(batch, row, BytesOf(batch, row, value_columns_[0], &raw_)));
    } else {
      const size_t end = ends_[static_cast<size_t>(row)];
      MR_RETURN_IF_ERROR(SendRow(batch, row, absl::string_view(text_).substr(begin, end - begin)));
      begin = end;
    }
    if (row % kRowsBetweenLooks == 0) client_->Serve();
  }
  return absl::OkStatus();
}

std::optional<absl::string_view> KafkaSink::BytesOf(const Batch& batch, int64_t row, int column,
                                                    std::string* scratch) const {
  const arrow::Array& array = *batch.column(column);
  if (array.IsNull(row)) return std::nullopt;
  const SqlType& type = columns_[static_cast<size_t>(column)].type;
  if (type.id == TypeId::kBytea) {
    const auto view = static_cast<const arrow::BinaryArray&>(array).GetView(row);
    return absl::string_view(view.data(), view.size());
  }
  scratch->clear();
  AppendValueText(array, row, type, scratch);
  return absl::string_view(*scratch);
}

std::optional<absl::string_view> KafkaSink::KeyOf(const Batch& batch, int64_t row) {
  if (!key_column_.has_value()) return std::nullopt;
  return BytesOf(batch, row, *key_column_, &key_);
}

absl::StatusOr<int64_t> KafkaSink::TimeOf(const Batch& batch, int64_t row) {
  if (!timestamp_column_.has_value() || batch.column(*timestamp_column_)->IsNull(row)) return 0;
  const arrow::Array& times = *batch.column(*timestamp_column_);
  const int64_t millis = static_cast<const arrow::TimestampArray&>(times).Value(row) / 1000;
  if (millis > 0) return millis;
  const Field& column = columns_[static_cast<size_t>(*timestamp_column_)];
  std::string text;
  AppendValueText(times, row, column.type, &text);
  return WithTopic(MakeError(
      SqlState::kDatetimeOverflow,
      absl::StrCat("column \"", column.name, "\": ", text, " cannot be the time of a message"),
      "messages have times after 1970-01-01 00:00:00 UTC; NULL is the time of sending"));
}

absl::Status KafkaSink::SendRow(const Batch& batch, int64_t row,
                                std::optional<absl::string_view> value) {
  const std::optional<absl::string_view> key = KeyOf(batch, row);
  MR_ASSIGN_OR_RETURN(const int64_t timestamp_millis, TimeOf(batch, row));
  const auto bytes = [](const std::optional<absl::string_view>& text) {
    // An empty text is not the same as none.
    return text.has_value() ? const_cast<char*>(text->empty() ? "" : text->data()) : nullptr;
  };
  const size_t num_value_bytes = value.value_or("").size();
  const rd_kafka_resp_err_t error = rd_kafka_producev(
      client_->handle(), RD_KAFKA_V_RKT(topic_), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(bytes(value), num_value_bytes),
      RD_KAFKA_V_KEY(bytes(key), key.value_or("").size()), RD_KAFKA_V_TIMESTAMP(timestamp_millis),
      RD_KAFKA_V_END);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return WithTopic(FromKafka(error, rd_kafka_err2str(error)));
  }
  ++num_in_flight_;
  bytes_in_flight_ += static_cast<int64_t>(num_value_bytes);
  return absl::OkStatus();
}

void KafkaSink::OnDelivered(const rd_kafka_message_t& message) {
  --num_in_flight_;
  bytes_in_flight_ -= static_cast<int64_t>(message.len);
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    client_->ClearTrouble();
    return;
  }
  if (!delivery_.ok()) return;
  const std::string trouble = client_->trouble();
  delivery_ = FromKafka(
      message.err, absl::StrCat("a row could not be delivered: ", rd_kafka_err2str(message.err),
                                trouble.empty() ? "" : "; ", trouble));
}

absl::StatusOr<std::vector<v1::StagedFile>> KafkaSink::Prepare(uint64_t) {
  if (num_in_flight_ > 0) return InternalError("a sink was prepared before it was ready");
  return std::vector<v1::StagedFile>();
}

absl::Status KafkaSink::Abort() {
  if (client_ != nullptr) {
    // What is not on its way yet need not be sent.
    rd_kafka_purge(client_->handle(), RD_KAFKA_PURGE_F_QUEUE);
  }
  return absl::OkStatus();
}

absl::Status KafkaSink::Close() {
  if (topic_ != nullptr) rd_kafka_topic_destroy(std::exchange(topic_, nullptr));
  client_.reset();
  return absl::OkStatus();
}

}  // namespace millrace
