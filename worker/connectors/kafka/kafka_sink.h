#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/connector_spec/kafka_options.h"
#include "common/kafka_client/kafka_client.h"
#include "common/net/address_policy.h"
#include "common/types/sql_type.h"
#include "worker/connectors/file/file_writer.h"
#include "worker/connectors/sink.h"

namespace millrace {

// Whose rows a sink is given. A stream's job is tried again after an error that passes; a statement
// that ends is not, and says at once what is wrong.
enum class KafkaSinkInput : uint8_t { kStatement, kStream };

// Sends each row as a message of a topic, at least once: rows leave as they come, and Prepare is
// done when the brokers have all of them. What an attempt has sent before it failed stays.
class KafkaSink final : public Sink, public KafkaDeliveryListener {
 public:
  KafkaSink(KafkaOptions options, Schema columns, const AddressPolicy& policy,
            KafkaSinkInput input = KafkaSinkInput::kStream);
  ~KafkaSink() override;

  absl::Status Open() override;
  absl::StatusOr<bool> Ready(SinkCall call) override;
  absl::Status Write(const Batch& batch) override;
  absl::StatusOr<std::vector<v1::StagedFile>> Prepare(uint64_t epoch) override;
  absl::string_view waiting_for() const override { return waiting_for_; }
  absl::Status Abort() override;
  absl::Status Close() override;

  void OnDelivered(const rd_kafka_message_t& message) override;

 private:
  absl::Status ChooseColumns();
  absl::Status SendRow(const Batch& batch, int64_t row, std::optional<absl::string_view> value);
  // The message's key; absent for NULL.
  std::optional<absl::string_view> KeyOf(const Batch& batch, int64_t row);
  // The message's time in milliseconds; 0, the time of sending, for NULL. 22008 for a time that a
  // message cannot have.
  absl::StatusOr<int64_t> TimeOf(const Batch& batch, int64_t row);
  // Of a raw value.
  std::optional<absl::string_view> BytesOf(const Batch& batch, int64_t row, int column,
                                           std::string* scratch) const;
  // An error of librdkafka or a row, as the sink gives it.
  absl::Status WithTopic(const absl::Status& error) const;

  const KafkaOptions options_;
  const Schema columns_;
  const AddressPolicy policy_;
  const KafkaSinkInput input_;

  std::vector<int> value_columns_;
  std::optional<int> key_column_;
  std::optional<int> timestamp_column_;
  // Null for raw values.
  std::unique_ptr<RowFormatter> formatter_;

  std::unique_ptr<KafkaClient> client_;
  rd_kafka_topic_t* topic_ = nullptr;
  // Sent, and not yet confirmed.
  int64_t num_in_flight_ = 0;
  int64_t bytes_in_flight_ = 0;
  absl::Status delivery_;
  std::string waiting_for_ = "broker";
  std::string text_;
  std::vector<size_t> ends_;
  std::string key_;
  std::string raw_;
};

}  // namespace millrace
