#include "coordinator/scheduler/partition_splits.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/kafka_client/kafka_topic.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

// Longer than the 5 s after which a resolver asks again for a name whose answer was lost, and than
// the 10 s after which librdkafka says what became of a connection.
constexpr int64_t kTimeoutMicros = 15'000'000;
// Who only looks for new partitions asks again.
constexpr int64_t kLookTimeoutMicros = 5'000'000;
// Queries that end cut partitions into ranges of so many offsets, for tasks to share.
constexpr int64_t kRangeOffsets = 500'000;

template <typename Node>
absl::StatusOr<KafkaOptions> OptionsOfNode(const Node& node) {
  Schema columns;
  for (const v1::Field& field : node.columns()) columns.push_back(FromProto(field));
  return ParseKafkaOptions(ToOptionMap(node.options()), columns);
}

v1::Split PartitionSplit(const std::string& topic, int32_t partition, int64_t begin) {
  v1::Split split;
  v1::KafkaSplit* kafka = split.mutable_kafka();
  kafka->set_topic(topic);
  kafka->set_partition(partition);
  kafka->set_begin_offset(begin);
  return split;
}

// What is known of a topic at one moment.
struct TopicPlaces {
  std::vector<KafkaOffsets> offsets;
  std::vector<int64_t> begins;
};

// Asks whoever leads a partition, too: one broker that answers may know the topic of others.
absl::StatusOr<std::vector<KafkaOffsets>> OffsetsOf(KafkaTopic& topic) {
  MR_ASSIGN_OR_RETURN(const int32_t num_partitions, topic.NumPartitions(kTimeoutMicros));
  return topic.Offsets(num_partitions, kTimeoutMicros);
}

absl::StatusOr<TopicPlaces> PlacesOf(KafkaTopic& topic, const KafkaOptions& options) {
  TopicPlaces places;
  MR_ASSIGN_OR_RETURN(places.offsets, OffsetsOf(topic));
  MR_ASSIGN_OR_RETURN(places.begins, topic.Locate(options.start, places.offsets, kTimeoutMicros));
  return places;
}

// Whoever names a partition that is not there takes the topic for another one.
absl::Status CheckNamesNoOther(const KafkaPlace& place, const std::string& topic,
                               size_t num_partitions) {
  for (const auto& [partition, offset] : place.offsets) {
    if (static_cast<size_t>(partition) < num_partitions) continue;
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("an offset is given for partition ", partition, " of topic \"",
                                  topic, "\", which has ", num_partitions));
  }
  return absl::OkStatus();
}

absl::Status CheckStop(KafkaTopic& topic, const KafkaOptions& options, size_t num_partitions) {
  if (options.stop->kind != KafkaPlace::Kind::kOffsets) return absl::OkStatus();
  MR_RETURN_IF_ERROR(CheckNamesNoOther(*options.stop, options.topic, num_partitions));
  // How far the partitions go is left out: they may grow up to `stop`.
  const KafkaOffsets all{0, std::numeric_limits<int64_t>::max()};
  const std::vector<KafkaOffsets> any(num_partitions, all);
  return topic.Locate(*options.stop, any, kTimeoutMicros).status();
}

// A known partition that is no longer there: the topic was made anew, with fewer.
absl::Status CheckNoneIsGone(const std::set<std::string>& known, int32_t num_partitions) {
  for (const std::string& path : known) {
    std::string topic;
    int32_t partition = 0;
    if (!ParseKafkaPartitionName(path, &topic, &partition) || partition < num_partitions) continue;
    return MakeError(
        SqlState::kObjectNotInPrerequisiteState,
        absl::StrCat("topic \"", topic, "\" no longer has partition ", partition, ": it has ",
                     num_partitions),
        "the topic was made anew with fewer partitions; nothing is left out silently: create the "
        "view or the job again to read what the broker has");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Split>> SplitsOf(const v1::ScanNode& scan,
                                                const AddressPolicy& addresses, bool streaming) {
  MR_ASSIGN_OR_RETURN(const KafkaOptions options, KafkaOptionsOf(scan));
  MR_ASSIGN_OR_RETURN(const auto topic, KafkaTopic::Connect(options, addresses));
  MR_ASSIGN_OR_RETURN(const TopicPlaces places, PlacesOf(*topic, options));
  std::vector<int64_t> ends;
  for (const KafkaOffsets& offsets : places.offsets) ends.push_back(offsets.high);
  if (options.stop.has_value()) {
    MR_ASSIGN_OR_RETURN(ends, topic->Locate(*options.stop, places.offsets, kTimeoutMicros));
  }
  const bool endless = streaming && !options.stop.has_value();
  std::vector<v1::Split> splits;
  for (size_t i = 0; i < ends.size(); ++i) {
    const int64_t end = std::max(ends[i], places.begins[i]);
    int64_t begin = places.begins[i];
    do {
      v1::Split& split =
          splits.emplace_back(PartitionSplit(options.topic, static_cast<int32_t>(i), begin));
      split.set_id(splits.size() - 1);
      begin = streaming ? end : std::min(end, begin + kRangeOffsets);
      if (!endless) split.mutable_kafka()->set_end_offset(begin);
    } while (begin < end);
  }
  return splits;
}

}  // namespace

absl::StatusOr<KafkaOptions> KafkaOptionsOf(const v1::ScanNode& scan) {
  return OptionsOfNode(scan);
}

bool FollowsPartitions(const v1::ScanNode& scan) {
  return scan.connector() == "kafka" && !scan.options().contains("stop");
}

absl::StatusOr<std::vector<v1::Split>> PartitionSplits(const v1::ScanNode& scan,
                                                       const AddressPolicy& addresses,
                                                       bool streaming) {
  absl::StatusOr<std::vector<v1::Split>> splits = SplitsOf(scan, addresses, streaming);
  if (splits.ok() || streaming) return splits;
  return ForEndingStatement(splits.status());
}

absl::Status CheckTopic(const KafkaOptions& options, const AddressPolicy& addresses) {
  MR_ASSIGN_OR_RETURN(const auto topic, KafkaTopic::Connect(options, addresses));
  const absl::StatusOr<TopicPlaces> located = PlacesOf(*topic, options);
  if (!located.ok()) return ForEndingStatement(located.status());
  const TopicPlaces& places = *located;
  const size_t num_partitions = places.offsets.size();
  MR_RETURN_IF_ERROR(CheckNamesNoOther(options.start, options.topic, num_partitions));
  return options.stop.has_value() ? CheckStop(*topic, options, num_partitions) : absl::OkStatus();
}

absl::Status CheckSinkTopic(const v1::FileSinkNode& sink, const AddressPolicy& addresses) {
  MR_ASSIGN_OR_RETURN(const KafkaOptions options, OptionsOfNode(sink));
  MR_ASSIGN_OR_RETURN(const auto topic, KafkaTopic::Connect(options, addresses));
  return ForEndingStatement(OffsetsOf(*topic).status());
}

absl::StatusOr<std::vector<v1::Split>> NewPartitions(KafkaTopic& topic, const std::string& name,
                                                     const std::set<std::string>& known) {
  MR_ASSIGN_OR_RETURN(const int32_t num_partitions, topic.NumPartitions(kLookTimeoutMicros));
  MR_RETURN_IF_ERROR(CheckNoneIsGone(known, num_partitions));
  std::vector<v1::Split> splits;
  for (int32_t partition = 0; partition < num_partitions; ++partition) {
    if (known.contains(KafkaPartitionName(name, partition))) continue;
    splits.push_back(PartitionSplit(name, partition, 0));
  }
  return splits;
}

}  // namespace millrace
