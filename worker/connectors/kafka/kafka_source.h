#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/connector_spec/kafka_options.h"
#include "common/kafka_client/kafka_client.h"
#include "common/net/address_policy.h"
#include "worker/connectors/file/bad_row_log.h"
#include "worker/connectors/kafka/kafka_partition.h"
#include "worker/connectors/kafka/kafka_row_decoder.h"
#include "worker/connectors/source.h"

namespace millrace {

namespace v1 {
class ScanNode;
}  // namespace v1

// Reads partitions of a topic. All partitions of a task share one client; each fetches ahead from
// when it was first opened until it has ended, also while another one is being read. So opening a
// partition again where it stands costs nothing, and a task goes round its partitions.
//
// Positions are offsets and live in checkpoints alone: nothing is committed to the broker.
class KafkaSource final : public Source {
 public:
  static absl::StatusOr<std::unique_ptr<Source>> Create(const v1::ScanNode& node,
                                                        const AddressPolicy& policy,
                                                        const Clock& clock);
  ~KafkaSource() override;

  absl::Status Open(const v1::Split& split) override;
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override;
  v1::SplitPosition Position() const override;
  uint64_t bad_rows() const override { return log_.total_bad_rows(); }
  std::vector<BadRow> TakeBadRows() override { return log_.Take(); }
  FollowPolicy follow_policy() const override;
  bool caught_up() const override;
  absl::string_view waiting_for() const override { return waiting_for_; }
  absl::Status Close() override;

 private:
  KafkaSource(KafkaOptions options, const AddressPolicy& policy, const Clock& clock,
              std::unique_ptr<KafkaRowDecoder> decoder);

  // With room for `num_partitions`, which share what may be fetched ahead.
  absl::Status Connect(size_t num_partitions);
  void Disconnect();
  // Adds what has come of the open partition to the batch. False if nothing has.
  absl::StatusOr<bool> AppendReady(const PollBudget& budget);
  KafkaMessage MessageOf(const rd_kafka_message_t& message) const;
  // Looks whether brokers can be reached; 08006 if they could not for long and the split ends.
  absl::Status CheckTrouble();
  void EndSplit();

  const KafkaOptions options_;
  const AddressPolicy policy_;
  const Clock& clock_;
  const std::unique_ptr<KafkaRowDecoder> decoder_;
  BadRowLog log_;

  std::unique_ptr<KafkaClient> client_;
  rd_kafka_topic_t* topic_ = nullptr;
  size_t partitions_max_;
  std::map<int32_t, std::unique_ptr<KafkaPartition>> partitions_;
  uint64_t troubles_seen_ = 0;
  // Since when brokers could not be reached.
  std::optional<int64_t> trouble_since_micros_;
  std::string waiting_for_ = "input";

  // The open split.
  uint64_t split_id_ = 0;
  KafkaPartition* open_ = nullptr;
  std::string path_;
  int64_t position_ = 0;
  std::optional<int64_t> end_offset_;
  uint64_t rows_ = 0;
  bool ended_ = true;
  std::vector<KafkaMessage> messages_;
};

}  // namespace millrace
