#include "worker/connectors/kafka/kafka_partition.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// Messages that are taken over from librdkafka at a time.
constexpr size_t kFetchMax = 8192;

absl::Status LostOffset(const std::string& name, int64_t offset, absl::string_view reason) {
  return MakeError(
      SqlState::kObjectNotInPrerequisiteState,
      absl::StrCat(name, ": the broker does not have offset ", offset, ": ", reason),
      "messages were deleted before they were read, or the topic was made anew; nothing is left "
      "out silently: create the view or the job again to read what the broker has");
}

}  // namespace

KafkaPartition::KafkaPartition(KafkaClient& client, rd_kafka_topic_t* topic, int32_t partition,
                               std::string name)
    : client_(client), topic_(topic), partition_(partition), name_(std::move(name)) {}

KafkaPartition::~KafkaPartition() { Stop(); }

void KafkaPartition::Clear() {
  for (size_t i = next_; i < fetched_.size(); ++i) rd_kafka_message_destroy(fetched_[i]);
  fetched_.clear();
  next_ = 0;
}

void KafkaPartition::Stop() {
  Clear();
  if (std::exchange(started_, false)) rd_kafka_consume_stop(topic_, partition_);
}

absl::Status KafkaPartition::Start(int64_t offset) {
  if (started_ && offset == position_) return absl::OkStatus();
  Stop();
  position_ = offset;
  caught_up_ = false;
  if (rd_kafka_consume_start(topic_, partition_, offset) != 0) {
    const rd_kafka_resp_err_t error = rd_kafka_last_error();
    return WithContext(FromKafka(error, rd_kafka_err2str(error)), name_);
  }
  started_ = true;
  return absl::OkStatus();
}

absl::StatusOr<absl::Span<rd_kafka_message_t* const>> KafkaPartition::Ready() {
  MR_CHECK(started_);
  while (true) {
    if (next_ == fetched_.size()) {
      next_ = 0;
      fetched_.resize(kFetchMax);
      const ssize_t count =
          rd_kafka_consume_batch(topic_, partition_, 0, fetched_.data(), kFetchMax);
      fetched_.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
      if (count < 0) {
        const rd_kafka_resp_err_t error = rd_kafka_last_error();
        return WithContext(FromKafka(error, rd_kafka_err2str(error)), name_);
      }
      if (count == 0) return absl::Span<rd_kafka_message_t* const>();
    }
    const rd_kafka_message_t* first = fetched_[next_];
    if (first->err == RD_KAFKA_RESP_ERR_NO_ERROR && first->offset >= position_) break;
    const absl::Status handled =
        first->err == RD_KAFKA_RESP_ERR_NO_ERROR ? absl::OkStatus() : HandleEvent(*first);
    rd_kafka_message_destroy(fetched_[next_++]);
    MR_RETURN_IF_ERROR(handled);
  }
  caught_up_ = false;
  client_.ClearTrouble();
  size_t end = next_ + 1;
  while (end < fetched_.size() && fetched_[end]->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++end;
  return absl::MakeConstSpan(fetched_).subspan(next_, end - next_);
}

absl::Status KafkaPartition::HandleEvent(const rd_kafka_message_t& event) {
  const char* text = rd_kafka_message_errstr(&event);
  const absl::string_view reason = text == nullptr ? rd_kafka_err2str(event.err) : text;
  switch (event.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      position_ = std::max(position_, event.offset);
      caught_up_ = true;
      client_.ClearTrouble();
      return absl::OkStatus();
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return LostOffset(name_, position_, reason);
    default:
      break;
  }
  const absl::Status error = WithContext(FromKafka(event.err, reason), name_);
  const ErrorDetail detail = GetErrorDetail(error);
  if (detail.retry != Retry::kSafe && detail.state != SqlState::kIoError) return error;
  // librdkafka goes on by itself, and what is read again doubles nothing.
  client_.NoteTrouble(reason);
  return absl::OkStatus();
}

void KafkaPartition::Take(size_t count) {
  MR_CHECK(next_ + count <= fetched_.size());
  for (; count > 0; --count) {
    position_ = fetched_[next_]->offset + 1;
    rd_kafka_message_destroy(fetched_[next_++]);
  }
}

void KafkaPartition::DoubtEnd() {
  if (!started_ || !std::exchange(caught_up_, false)) return;
  // The end is told again when it is reached again. What was not taken would come twice.
  if (next_ < fetched_.size()) return;
  rd_kafka_seek(topic_, partition_, position_, 0);
}

}  // namespace millrace
