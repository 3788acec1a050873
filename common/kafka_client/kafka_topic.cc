#include "common/kafka_client/kafka_topic.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// Between two tries.
constexpr std::chrono::milliseconds kPause(50);

// Brokers that have just been started, or have just made a topic, do not know its leaders yet.
bool GoesAway(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
      return true;
    default:
      return false;
  }
}

// Calls `ask(milliseconds left)` until it gives something else than an error that goes away.
template <typename Ask>
rd_kafka_resp_err_t AskInTime(int64_t timeout_micros, const Ask& ask) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::microseconds(timeout_micros);
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const rd_kafka_resp_err_t error = ask(static_cast<int>(std::max<int64_t>(left.count(), 1)));
    if (!GoesAway(error) || left < kPause) return error;
    std::this_thread::sleep_for(kPause);
  }
}

struct TopicDestroyer {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
struct ListDestroyer {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaTopic>> KafkaTopic::Connect(const KafkaOptions& options,
                                                                const AddressPolicy& policy) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<KafkaClient> client,
                      KafkaClient::Create(KafkaRole::kConsumer, options, policy));
  return std::unique_ptr<KafkaTopic>(new KafkaTopic(options, std::move(client)));
}

absl::Status KafkaTopic::Failure(rd_kafka_resp_err_t error, absl::string_view what) const {
  client_->Serve();
  const std::string cause = client_->trouble();
  return WithHint(
      FromKafka(error, absl::StrCat(what, " from ", absl::StrJoin(options_.brokers, ","), ": ",
                                    cause.empty() ? rd_kafka_err2str(error) : cause)),
      "are the brokers running, and is what they advertise reachable from here?");
}

absl::StatusOr<int32_t> KafkaTopic::NumPartitions(int64_t timeout_micros) {
  const std::unique_ptr<rd_kafka_topic_t, TopicDestroyer> topic(
      rd_kafka_topic_new(client_->handle(), options_.topic.c_str(), nullptr));
  int32_t num_partitions = 0;
  rd_kafka_resp_err_t topic_error = RD_KAFKA_RESP_ERR_NO_ERROR;
  const rd_kafka_resp_err_t error = AskInTime(timeout_micros, [&](int millis) {
    const rd_kafka_metadata_t* metadata = nullptr;
    const rd_kafka_resp_err_t failed =
        rd_kafka_metadata(client_->handle(), 0, topic.get(), &metadata, millis);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return failed;
    topic_error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (metadata->topic_cnt == 1) {
      topic_error = metadata->topics[0].err;
      num_partitions = metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return GoesAway(topic_error) ? topic_error : RD_KAFKA_RESP_ERR_NO_ERROR;
  });
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Failure(error, "cannot get metadata");
  client_->ClearTrouble();
  if (topic_error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
      (topic_error == RD_KAFKA_RESP_ERR_NO_ERROR && num_partitions == 0)) {
    return MakeError(SqlState::kUndefinedObject,
                     absl::StrCat("topic \"", options_.topic, "\" does not exist on ",
                                  absl::StrJoin(options_.brokers, ",")),
                     "topics are not created by statements; create it with the broker's tools");
  }
  if (topic_error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Failure(topic_error, absl::StrCat("cannot get topic \"", options_.topic, "\""));
  }
  return num_partitions;
}

absl::StatusOr<std::vector<KafkaOffsets>> KafkaTopic::Offsets(int32_t num_partitions,
                                                              int64_t timeout_micros) {
  std::vector<KafkaOffsets> all(static_cast<size_t>(num_partitions));
  for (int32_t partition = 0; partition < num_partitions; ++partition) {
    KafkaOffsets& offsets = all[static_cast<size_t>(partition)];
    const rd_kafka_resp_err_t error = AskInTime(timeout_micros, [&](int millis) {
      return rd_kafka_query_watermark_offsets(client_->handle(), options_.topic.c_str(), partition,
                                              &offsets.low, &offsets.high, millis);
    });
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    return Failure(error, absl::StrCat("cannot get the offsets of ",
                                       KafkaPartitionName(options_.topic, partition)));
  }
  return all;
}

absl::StatusOr<std::vector<int64_t>> KafkaTopic::LocateTime(
    int64_t millis, const std::vector<KafkaOffsets>& offsets, int64_t timeout_micros) {
  const std::unique_ptr<rd_kafka_topic_partition_list_t, ListDestroyer> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (size_t i = 0; i < offsets.size(); ++i) {
    rd_kafka_topic_partition_list_add(list.get(), options_.topic.c_str(), static_cast<int32_t>(i));
  }
  const rd_kafka_resp_err_t error = AskInTime(timeout_micros, [&](int millis_left) {
    for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = millis;
    return rd_kafka_offsets_for_times(client_->handle(), list.get(), millis_left);
  });
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Failure(error, "cannot look up a time");
  std::vector<int64_t> located(offsets.size());
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = list->elems[i];
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Failure(element.err, "cannot look up a time");
    }
    const KafkaOffsets& known = offsets[static_cast<size_t>(element.partition)];
    // Negative: no message is that young.
    located[static_cast<size_t>(element.partition)] =
        element.offset < 0 ? known.high : std::clamp(element.offset, known.low, known.high);
  }
  return located;
}

absl::StatusOr<std::vector<int64_t>> KafkaTopic::Locate(const KafkaPlace& place,
                                                        const std::vector<KafkaOffsets>& offsets,
                                                        int64_t timeout_micros) {
  if (place.kind == KafkaPlace::Kind::kTimestamp) {
    return LocateTime(place.timestamp_millis, offsets, timeout_micros);
  }
  std::vector<int64_t> located;
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (place.kind != KafkaPlace::Kind::kOffsets) {
      const bool earliest = place.kind == KafkaPlace::Kind::kEarliest;
      located.push_back(earliest ? offsets[i].low : offsets[i].high);
      continue;
    }
    const auto named = place.offsets.find(static_cast<int32_t>(i));
    if (named == place.offsets.end()) {
      return MakeError(SqlState::kInvalidParameterValue,
                       absl::StrCat("no offset is given for partition ", i, " of topic \"",
                                    options_.topic, "\", which has ", offsets.size()));
    }
    if (named->second < offsets[i].low || named->second > offsets[i].high) {
      return MakeError(SqlState::kInvalidParameterValue,
                       absl::StrCat("offset ", named->second, " is not in partition ", i,
                                    " of topic \"", options_.topic, "\""),
                       absl::StrCat("the broker has ", offsets[i].low, " to ", offsets[i].high));
    }
    located.push_back(named->second);
  }
  return located;
}

}  // namespace millrace
