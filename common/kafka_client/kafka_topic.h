#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/connector_spec/kafka_options.h"
#include "common/kafka_client/kafka_client.h"

namespace millrace {

// Offsets of one partition: of the first message that the broker has, and behind the last one.
struct KafkaOffsets {
  int64_t low = 0;
  int64_t high = 0;
};

// Looks at one topic from outside: its partitions and places in them. Blocks; each question to the
// brokers takes at most the timeout, and a third of it if they refuse connections. 08006 if they do
// not answer in time, 42501 if they lead to an address that the policy does not allow. Used by one
// thread.
class KafkaTopic {
 public:
  // Connects in the background.
  static absl::StatusOr<std::unique_ptr<KafkaTopic>> Connect(const KafkaOptions& options,
                                                             const AddressPolicy& policy);

  // Partitions [0, n); 42704 if there is no such topic.
  absl::StatusOr<int32_t> NumPartitions(int64_t timeout_micros);
  // What the broker has of each partition.
  absl::StatusOr<std::vector<KafkaOffsets>> Offsets(int32_t num_partitions, int64_t timeout_micros);
  // The place as one offset for each partition, within what the broker has. 22023 if offsets that
  // the place names lie outside of it, or if it names none for some partition.
  absl::StatusOr<std::vector<int64_t>> Locate(const KafkaPlace& place,
                                              const std::vector<KafkaOffsets>& offsets,
                                              int64_t timeout_micros);

 private:
  KafkaTopic(KafkaOptions options, std::unique_ptr<KafkaClient> client)
      : options_(std::move(options)), client_(std::move(client)) {}

  absl::Status Failure(rd_kafka_resp_err_t error, absl::string_view what) const;
  // For each partition that of its first message of that time or later; negative without one. The
  // two ends are times, too: RD_KAFKA_OFFSET_BEGINNING and _END.
  absl::StatusOr<std::vector<int64_t>> OffsetsAt(int64_t millis, int32_t num_partitions,
                                                 int64_t timeout_micros);
  absl::StatusOr<std::vector<int64_t>> LocateTime(int64_t millis,
                                                  const std::vector<KafkaOffsets>& offsets,
                                                  int64_t timeout_micros);

  const KafkaOptions options_;
  const std::unique_ptr<KafkaClient> client_;
};

}  // namespace millrace
