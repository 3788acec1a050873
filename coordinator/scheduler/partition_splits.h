#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/connector_spec/kafka_options.h"
#include "common/net/address_policy.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

class KafkaTopic;

namespace v1 {
class FileSinkNode;
class ScanNode;
}  // namespace v1

// The options of a scan of a topic.
absl::StatusOr<KafkaOptions> KafkaOptionsOf(const v1::ScanNode& scan);

// True for a scan of a topic whose definition has no `stop`: a stream over it has no end, and reads
// partitions that appear.
bool FollowsPartitions(const v1::ScanNode& scan);

// The splits of a topic, with every place ("latest", a time) made a number. Streams get one for
// each partition; queries that end get ranges of offsets, up to where the partitions end now unless
// `stop` says less. Blocks for some seconds at most: 08006 if no broker answers, which ends a query
// that ends at once, 42704 without such a topic.
absl::StatusOr<std::vector<v1::Split>> PartitionSplits(const v1::ScanNode& scan,
                                                       const AddressPolicy& addresses,
                                                       bool streaming);

// Checks that brokers and topic are there, and can be read from `start` on; and that `start` and
// `stop`, if they are offsets, name the topic's partitions and no others. 22023 if not.
absl::Status CheckTopic(const KafkaOptions& options, const AddressPolicy& addresses);

// Checks that the topic of a sink is there, and that whoever leads its partitions answers. For a
// statement that ends: its rows would wait for brokers longer than anybody does. Blocks and fails
// as PartitionSplits.
absl::Status CheckSinkTopic(const v1::FileSinkNode& sink, const AddressPolicy& addresses);

// Splits of the partitions that are not among `known` ("clicks/3"); they are read from the
// beginning, because nobody could read them before. 55000 if the topic no longer has one of
// `known`.
absl::StatusOr<std::vector<v1::Split>> NewPartitions(KafkaTopic& topic, const std::string& name,
                                                     const std::set<std::string>& known);

}  // namespace millrace
