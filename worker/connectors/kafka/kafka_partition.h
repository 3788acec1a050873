#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/kafka_client/kafka_client.h"
#include "librdkafka/rdkafka.h"

namespace millrace {

// Reads one partition from an offset on. librdkafka fetches ahead on its own threads; nothing here
// waits. Used by one thread; the client and the topic outlive it.
class KafkaPartition {
 public:
  // `name`: "clicks/3", for messages.
  KafkaPartition(KafkaClient& client, rd_kafka_topic_t* topic, int32_t partition, std::string name);
  ~KafkaPartition();
  KafkaPartition(const KafkaPartition&) = delete;
  KafkaPartition& operator=(const KafkaPartition&) = delete;

  // Goes on at `offset`; what was fetched already is kept if that is where it stands.
  absl::Status Start(int64_t offset);
  void Stop();

  // Messages from position() on that have come, in order, at most some thousand; empty if there are
  // none now. Valid until Take or Stop. 55000 if the broker does not have the offset, 42704 if
  // topic or partition are gone.
  absl::StatusOr<absl::Span<rd_kafka_message_t* const>> Ready();
  // The first `count` of them are done with.
  void Take(size_t count);

  int32_t partition() const { return partition_; }
  const std::string& name() const { return name_; }
  // Offset of the next message; behind everything without content (marks of transactions) if the
  // end was seen.
  int64_t position() const { return position_; }
  // The end of the partition was seen at position(), and since then nothing has gone wrong.
  bool caught_up() const { return caught_up_; }
  // Brokers could not be reached: that the end was seen is no longer known, so ask again.
  void DoubtEnd();

 private:
  // Drops what was fetched.
  void Clear();
  // Handles what is no message.
  absl::Status HandleEvent(const rd_kafka_message_t& event);

  KafkaClient& client_;
  rd_kafka_topic_t* const topic_;
  const int32_t partition_;
  const std::string name_;

  bool started_ = false;
  int64_t position_ = 0;
  bool caught_up_ = false;
  // Fetched and not taken: from next_ on.
  std::vector<rd_kafka_message_t*> fetched_;
  size_t next_ = 0;
};

}  // namespace millrace
