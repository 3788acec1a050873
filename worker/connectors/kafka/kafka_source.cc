#include "worker/connectors/kafka/kafka_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/types/utf8.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/split.pb.h"

namespace millrace {
namespace {

// How often a partition that had nothing is looked at again.
constexpr int64_t kLookIntervalMicros = 5'000;
// A query that ends does not wait longer than this for brokers; a stream does.
constexpr int64_t kTroubleMicrosMax = 60'000'000;
// What may be fetched ahead, by all partitions of a task together. librdkafka bounds each
// partition, and once one has reached its bound it pauses for up to a second: so bounds are wide.
constexpr size_t kFetchedKilobytesMax = size_t{256} << 10;
constexpr char kFetchedProperty[] = "queued.max.messages.kbytes";
constexpr size_t kPartitionsAtFirst = 8;

void AppendJsonString(absl::string_view bytes, std::string* out) {
  // As bytea's text form, if it is no text.
  const std::string text =
      IsValidText(bytes) ? std::string(bytes) : absl::StrCat("\\x", absl::BytesToHexString(bytes));
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(out, "\\u00", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

// {"name":"value", …} in the order of the message, names that occur twice too; empty without any.
std::string HeadersAsJson(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return "";
  std::string json;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    json += json.empty() ? "{" : ",";
    AppendJsonString(name, &json);
    json += ':';
    if (value == nullptr) {
      json += "null";
    } else {
      AppendJsonString(absl::string_view(static_cast<const char*>(value), size), &json);
    }
  }
  if (!json.empty()) json += '}';
  return json;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> KafkaSource::Create(const v1::ScanNode& node,
                                                            const AddressPolicy& policy,
                                                            const Clock& clock) {
  Schema columns;
  for (const v1::Field& field : node.columns()) columns.push_back(FromProto(field));
  MR_ASSIGN_OR_RETURN(KafkaOptions options,
                      ParseKafkaOptions(ToOptionMap(node.options()), columns));
  MR_ASSIGN_OR_RETURN(
      auto decoder, KafkaRowDecoder::Create(options, columns,
                                            {node.projection().begin(), node.projection().end()}));
  return std::unique_ptr<Source>(
      new KafkaSource(std::move(options), policy, clock, std::move(decoder)));
}

KafkaSource::KafkaSource(KafkaOptions options, const AddressPolicy& policy, const Clock& clock,
                         std::unique_ptr<KafkaRowDecoder> decoder)
    : options_(std::move(options)),
      policy_(policy),
      clock_(clock),
      decoder_(std::move(decoder)),
      log_(options_.bad_rows),
      partitions_max_(kPartitionsAtFirst) {}

KafkaSource::~KafkaSource() { Disconnect(); }

absl::Status KafkaSource::Connect(size_t num_partitions) {
  if (client_ != nullptr && num_partitions <= partitions_max_) return absl::OkStatus();
  // All partitions go on at the positions of their splits.
  Disconnect();
  while (partitions_max_ < num_partitions) partitions_max_ *= 4;
  KafkaOptions options = options_;
  options.properties.emplace(
      kFetchedProperty, absl::StrCat(std::max<size_t>(kFetchedKilobytesMax / partitions_max_, 64)));
  MR_ASSIGN_OR_RETURN(client_, KafkaClient::Create(KafkaRole::kConsumer, options, policy_));
  topic_ = rd_kafka_topic_new(client_->handle(), options_.topic.c_str(), nullptr);
  if (topic_ != nullptr) return absl::OkStatus();
  client_.reset();
  const rd_kafka_resp_err_t error = rd_kafka_last_error();
  return FromKafka(error, rd_kafka_err2str(error));
}

absl::Status KafkaSource::Open(const v1::Split& split) {
  ended_ = true;
  open_ = nullptr;
  if (!split.has_kafka()) return InternalError("a scan of a topic got a split of another kind");
  const v1::KafkaSplit& kafka = split.kafka();
  split_id_ = split.id();
  path_ = KafkaPartitionName(kafka.topic(), kafka.partition());
  position_ = kafka.begin_offset();
  rows_ = split.resume().rows();
  if (split.has_resume()) position_ = static_cast<int64_t>(split.resume().offset());
  end_offset_ = kafka.has_end_offset() ? std::optional<int64_t>(kafka.end_offset()) : std::nullopt;
  log_.BeginInput(path_, split.resume().bad_rows());
  if (split.resume().ended() || (end_offset_.has_value() && position_ >= *end_offset_)) {
    return absl::OkStatus();
  }
  const bool is_new = !partitions_.contains(kafka.partition());
  MR_RETURN_IF_ERROR(Connect(partitions_.size() + (is_new ? 1 : 0)));
  std::unique_ptr<KafkaPartition>& partition = partitions_[kafka.partition()];
  if (partition == nullptr) {
    partition = std::make_unique<KafkaPartition>(*client_, topic_, kafka.partition(), path_);
  }
  MR_RETURN_IF_ERROR(partition->Start(position_));
  open_ = partition.get();
  ended_ = false;
  return absl::OkStatus();
}

absl::StatusOr<PollResult> KafkaSource::Poll(const PollBudget& budget, Batch* batch) {
  if (!ended_) {
    client_->Serve();
    MR_RETURN_IF_ERROR(CheckTrouble());
  }
  bool idle = false;
  // Malformed messages count too.
  const uint64_t rows_end = rows_ + static_cast<uint64_t>(budget.rows_max);
  while (!ended_ && !idle && !decoder_->full(budget) && rows_ < rows_end) {
    MR_ASSIGN_OR_RETURN(const bool more, AppendReady(budget));
    idle = !more;
    position_ = open_->position();
    if (end_offset_.has_value() && position_ >= *end_offset_) EndSplit();
  }
  MR_ASSIGN_OR_RETURN(*batch, decoder_->Finish());
  if (ended_) return PollResult::kEnd;
  return idle ? PollResult::kIdle : PollResult::kRows;
}

absl::StatusOr<bool> KafkaSource::AppendReady(const PollBudget& budget) {
  MR_ASSIGN_OR_RETURN(const absl::Span<rd_kafka_message_t* const> ready, open_->Ready());
  messages_.clear();
  int64_t bytes_left = budget.bytes_max - decoder_->num_bytes();
  const auto rows_left = static_cast<size_t>(budget.rows_max - decoder_->num_rows());
  for (const rd_kafka_message_t* message : ready) {
    if (end_offset_.has_value() && message->offset >= *end_offset_) {
      // What lies before the end has no content.
      if (messages_.empty()) EndSplit();
      break;
    }
    messages_.push_back(MessageOf(*message));
    bytes_left -= static_cast<int64_t>(message->len + message->key_len);
    if (messages_.size() >= rows_left || bytes_left <= 0) break;
  }
  if (ended_) return true;
  MR_RETURN_IF_ERROR(decoder_->Append(messages_, open_->partition(), log_));
  rows_ += messages_.size();
  open_->Take(messages_.size());
  return !messages_.empty();
}

KafkaMessage KafkaSource::MessageOf(const rd_kafka_message_t& message) const {
  KafkaMessage result;
  result.offset = message.offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  result.timestamp_millis = rd_kafka_message_timestamp(&message, &type);
  if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) result.timestamp_millis = -1;
  if (message.payload != nullptr) {
    result.value.emplace(static_cast<const char*>(message.payload), message.len);
  }
  if (message.key != nullptr) {
    result.key.emplace(static_cast<const char*>(message.key), message.key_len);
  }
  if (decoder_->wants_headers()) result.headers = HeadersAsJson(message);
  return result;
}

absl::Status KafkaSource::CheckTrouble() {
  const uint64_t num_troubles = client_->num_troubles();
  if (num_troubles != troubles_seen_) {
    troubles_seen_ = num_troubles;
    for (const auto& [id, partition] : partitions_) partition->DoubtEnd();
  }
  const std::string trouble = client_->trouble();
  if (trouble.empty()) {
    trouble_since_micros_.reset();
    waiting_for_ = "input";
    return absl::OkStatus();
  }
  waiting_for_ = absl::StrCat("broker: ", trouble);
  const int64_t now_micros = clock_.MonotonicMicros();
  if (!trouble_since_micros_.has_value()) trouble_since_micros_ = now_micros;
  if (!end_offset_.has_value() || now_micros - *trouble_since_micros_ < kTroubleMicrosMax) {
    return absl::OkStatus();
  }
  const absl::Status error =
      FromKafka(RD_KAFKA_RESP_ERR__TRANSPORT, absl::StrCat(path_, ": ", trouble));
  // `stop` gives streams an end too, and their jobs go on when the brokers are back.
  return options_.stop.has_value() ? error : ForEndingStatement(error);
}

// The client goes on with the other partitions.
void KafkaSource::EndSplit() {
  ended_ = true;
  position_ = std::max(position_, end_offset_.value_or(position_));
  if (open_ != nullptr) open_->Stop();
}

v1::SplitPosition KafkaSource::Position() const {
  v1::SplitPosition position;
  position.set_split_id(split_id_);
  position.set_offset(static_cast<uint64_t>(position_));
  position.set_rows(rows_);
  position.set_ended(ended_);
  position.set_path(path_);
  position.set_bad_rows(log_.split_bad_rows());
  return position;
}

FollowPolicy KafkaSource::follow_policy() const {
  return {kLookIntervalMicros, options_.idle_timeout_micros};
}

bool KafkaSource::caught_up() const { return open_ != nullptr && open_->caught_up(); }

void KafkaSource::Disconnect() {
  open_ = nullptr;
  partitions_.clear();
  if (topic_ != nullptr) rd_kafka_topic_destroy(std::exchange(topic_, nullptr));
  client_.reset();
  troubles_seen_ = 0;
}

absl::Status KafkaSource::Close() {
  ended_ = true;
  Disconnect();
  return absl::OkStatus();
}

}  // namespace millrace
