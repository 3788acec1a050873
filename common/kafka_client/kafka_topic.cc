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
// What brokers and the ways to them say of themselves is final after this part of the time. A
// broker of which nothing is heard gets all of it: a name may have to be looked up a second time.
constexpr int64_t kErrorShareOfTime = 3;

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

// Calls `ask(milliseconds)` until it gives something else than an error that goes away, or an error
// of that kind has had its share of the time.
template <typename Ask>
rd_kafka_resp_err_t AskInTime(KafkaClient& client, int64_t timeout_micros, const Ask& ask) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::microseconds(timeout_micros);
  const auto end_of_errors =
      Clock::now() + std::chrono::microseconds(timeout_micros / kErrorShareOfTime);
  while (true) {
    const auto now = Clock::now();
    const auto until = now < end_of_errors ? end_of_errors : deadline;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - now);
    const rd_kafka_resp_err_t error = ask(static_cast<int>(std::max<int64_t>(left.count(), 1)));
    client.Serve();
    const bool silent = client.trouble().empty() && (error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
                                                     error == RD_KAFKA_RESP_ERR__TRANSPORT);
    if (!silent && !GoesAway(error)) return error;
    if (Clock::now() + kPause >= (silent ? deadline : end_of_errors)) return error;
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
  const std::string context = absl::StrCat(what, " from ", absl::StrJoin(options_.brokers, ","));
  const absl::Status refused = client_->refused();
  if (error == RD_KAFKA_RESP_ERR__RESOLVE && !refused.ok()) return WithContext(refused, context);
  const std::string cause = client_->trouble();
  return WithHint(FromKafka(error, absl::StrCat(context, ": ",
                                                cause.empty() ? rd_kafka_err2str(error) : cause)),
                  "are the brokers running, and is what they advertise reachable from here?");
}

absl::StatusOr<int32_t> KafkaTopic::NumPartitions(int64_t timeout_micros) {
  const std::unique_ptr<rd_kafka_topic_t, TopicDestroyer> topic(
      rd_kafka_topic_new(client_->handle(), options_.topic.c_str(), nullptr));
  int32_t num_partitions = 0;
  rd_kafka_resp_err_t topic_error = RD_KAFKA_RESP_ERR_NO_ERROR;
  const rd_kafka_resp_err_t error = AskInTime(*client_, timeout_micros, [&](int millis) {
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

// Not rd_kafka_query_watermark_offsets: as long as a leader refuses connections that never returns,
// and it gives __BAD_MSG for a leader whose name cannot be resolved.
absl::StatusOr<std::vector<int64_t>> KafkaTopic::OffsetsAt(int64_t millis, int32_t num_partitions,
                                                           int64_t timeout_micros) {
  const std::unique_ptr<rd_kafka_topic_partition_list_t, ListDestroyer> list(
      rd_kafka_topic_partition_list_new(num_partitions));
  for (int32_t i = 0; i < num_partitions; ++i) {
    rd_kafka_topic_partition_list_add(list.get(), options_.topic.c_str(), i);
  }
  std::string what = absl::StrCat("cannot get the offsets of topic \"", options_.topic, "\"");
  const rd_kafka_resp_err_t error = AskInTime(*client_, timeout_micros, [&](int millis_left) {
    for (int32_t i = 0; i < num_partitions; ++i) {
      list->elems[i].offset = millis;
      list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    const rd_kafka_resp_err_t failed =
        rd_kafka_offsets_for_times(client_->handle(), list.get(), millis_left);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return failed;
    for (int32_t i = 0; i < num_partitions; ++i) {
      if (list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      what = absl::StrCat("cannot get the offsets of ",
                          KafkaPartitionName(options_.topic, list->elems[i].partition));
      return list->elems[i].err;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  });
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Failure(error, what);
  std::vector<int64_t> offsets(static_cast<size_t>(num_partitions));
  for (int32_t i = 0; i < num_partitions; ++i) {
    offsets[static_cast<size_t>(list->elems[i].partition)] = list->elems[i].offset;
  }
  return offsets;
}

absl::StatusOr<std::vector<KafkaOffsets>> KafkaTopic::Offsets(int32_t num_partitions,
                                                              int64_t timeout_micros) {
  MR_ASSIGN_OR_RETURN(const std::vector<int64_t> lows,
                      OffsetsAt(RD_KAFKA_OFFSET_BEGINNING, num_partitions, timeout_micros));
  MR_ASSIGN_OR_RETURN(const std::vector<int64_t> highs,
                      OffsetsAt(RD_KAFKA_OFFSET_END, num_partitions, timeout_micros));
  std::vector<KafkaOffsets> all;
  for (size_t i = 0; i < lows.size(); ++i) all.push_back({lows[i], std::max(lows[i], highs[i])});
  return all;
}

absl::StatusOr<std::vector<int64_t>> KafkaTopic::LocateTime(
    int64_t millis, const std::vector<KafkaOffsets>& offsets, int64_t timeout_micros) {
  MR_ASSIGN_OR_RETURN(std::vector<int64_t> located,
                      OffsetsAt(millis, static_cast<int32_t>(offsets.size()), timeout_micros));
  for (size_t i = 0; i < located.size(); ++i) {
    const KafkaOffsets& known = offsets[i];
    // Negative: no message is that young.
    located[i] = located[i] < 0 ? known.high : std::clamp(located[i], known.low, known.high);
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
