#include "common/kafka_client/kafka_topic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/mock_kafka.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kTimeoutMicros = 10'000'000;

class KafkaTopicTest : public ::testing::Test {
 protected:
  KafkaTopicTest() { kafka_.CreateTopic("clicks", 2); }

  absl::StatusOr<std::unique_ptr<KafkaTopic>> Connect(const std::string& topic,
                                                      const std::string& brokers,
                                                      const AddressPolicy& policy = {}) {
    const Schema columns = {{"v", SqlType::Of(TypeId::kText)}};
    MR_ASSIGN_OR_RETURN(
        const KafkaOptions options,
        ParseKafkaOptions({{"brokers", brokers}, {"topic", topic}, {"format", "raw"}}, columns));
    return KafkaTopic::Connect(options, policy);
  }

  MockKafka kafka_;
};

TEST_F(KafkaTopicTest, TellsPartitionsAndOffsets) {
  kafka_.Send("clicks", 1, "a");
  kafka_.Send("clicks", 1, "b");
  const auto topic = Connect("clicks", kafka_.address());
  ASSERT_OK(topic);
  EXPECT_EQ(*(*topic)->NumPartitions(kTimeoutMicros), 2);
  const auto offsets = (*topic)->Offsets(2, kTimeoutMicros);
  ASSERT_OK(offsets);
  EXPECT_EQ((*offsets)[0].high, 0);
  EXPECT_EQ((*offsets)[1].low, 0);
  EXPECT_EQ((*offsets)[1].high, 2);
}

TEST_F(KafkaTopicTest, MakesNumbersOfPlaces) {
  const auto topic = Connect("clicks", kafka_.address());
  ASSERT_OK(topic);
  const std::vector<KafkaOffsets> offsets = {{3, 10}, {0, 0}};
  const auto locate = [&](KafkaPlace place) {
    return (*topic)->Locate(place, offsets, kTimeoutMicros);
  };
  EXPECT_THAT(*locate({KafkaPlace::Kind::kEarliest, 0, {}}), ElementsAre(3, 0));
  EXPECT_THAT(*locate({KafkaPlace::Kind::kLatest, 0, {}}), ElementsAre(10, 0));
  EXPECT_THAT(*locate({KafkaPlace::Kind::kOffsets, 0, {{0, 5}, {1, 0}}}), ElementsAre(5, 0));
  EXPECT_ERROR(locate({KafkaPlace::Kind::kOffsets, 0, {{0, 2}, {1, 0}}}),
               SqlState::kInvalidParameterValue, "offset 2 is not in partition 0");
  EXPECT_ERROR(locate({KafkaPlace::Kind::kOffsets, 0, {{0, 5}}}), SqlState::kInvalidParameterValue,
               "no offset is given for partition 1");
}

TEST_F(KafkaTopicTest, AMissingTopicIsAnError) {
  rd_kafka_mock_topic_set_error(kafka_.cluster(), "nowhere",
                                RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const auto topic = Connect("nowhere", kafka_.address());
  ASSERT_OK(topic);
  EXPECT_ERROR((*topic)->NumPartitions(kTimeoutMicros), SqlState::kUndefinedObject,
               "topic \"nowhere\" does not exist");
}

TEST_F(KafkaTopicTest, AMissingBrokerIsAnErrorWithItsCause) {
  const auto topic = Connect("clicks", "127.0.0.1:1");
  ASSERT_OK(topic);
  EXPECT_ERROR((*topic)->NumPartitions(300'000), SqlState::kConnectionFailure, "127.0.0.1:1");
}

TEST_F(KafkaTopicTest, ABrokerThatRefusesConnectionsDoesNotTakeAllOfTheTime) {
  const auto topic = Connect("clicks", "127.0.0.1:1");
  ASSERT_OK(topic);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_ERROR((*topic)->NumPartitions(4'500'000), SqlState::kConnectionFailure, "refused");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
}

TEST_F(KafkaTopicTest, ABrokerThatIsSilentAtFirstHasAllOfTheTime) {
  // Each answer takes so long, and two are needed.
  rd_kafka_mock_broker_set_rtt(kafka_.cluster(), 1, 700);
  const auto topic = Connect("clicks", kafka_.address());
  ASSERT_OK(topic);
  EXPECT_EQ(*(*topic)->NumPartitions(3'000'000), 2);
}

// Two brokers, of which the first one says that the second one has the rows.
class KafkaLeaderTest : public KafkaTopicTest {
 protected:
  KafkaLeaderTest() {
    two_.CreateTopic("clicks", 1);
    rd_kafka_mock_partition_set_leader(two_.cluster(), "clicks", 0, 2);
  }

  MockKafka two_{2};
  const std::vector<std::string> addresses_ = absl::StrSplit(two_.address(), ',');
};

TEST_F(KafkaLeaderTest, ALeaderThatIsAwayIsAnErrorInTime) {
  rd_kafka_mock_broker_set_down(two_.cluster(), 2);
  const auto topic = Connect("clicks", addresses_[0]);
  ASSERT_OK(topic);
  EXPECT_EQ(*(*topic)->NumPartitions(kTimeoutMicros), 1);
  const auto offsets = (*topic)->Offsets(1, 300'000);
  EXPECT_ERROR(offsets, SqlState::kConnectionFailure, "cannot get the offsets of topic \"clicks\"");
  EXPECT_THAT(std::string(offsets.status().message()), HasSubstr(addresses_[1]));
}

TEST_F(KafkaLeaderTest, ALeaderWhoseAddressIsNotAllowedIsAnError) {
  const auto policy = AddressPolicy::Create({addresses_[0]});
  ASSERT_OK(policy);
  const auto topic = Connect("clicks", addresses_[0], *policy);
  ASSERT_OK(topic);
  EXPECT_EQ(*(*topic)->NumPartitions(kTimeoutMicros), 1);
  EXPECT_ERROR((*topic)->Offsets(1, kTimeoutMicros), SqlState::kInsufficientPrivilege,
               absl::StrCat("connecting to ", addresses_[1], " is not allowed"));
}

}  // namespace
}  // namespace millrace
