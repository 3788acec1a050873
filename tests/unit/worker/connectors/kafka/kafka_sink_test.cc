#include "worker/connectors/kafka/kafka_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/split.pb.h"
#include "tests/support/mock_kafka.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/source_contract.h"
#include "tests/support/status_matchers.h"
#include "worker/connectors/kafka/kafka_source.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Its number in Kafka's protocol.
constexpr int16_t kProduceRequest = 0;

const Schema kColumns = {{"id", SqlType::Of(TypeId::kInt64)}, {"k", SqlType::Of(TypeId::kText)}};

class KafkaSinkTest : public ::testing::Test {
 protected:
  KafkaSinkTest() { kafka_.CreateTopic("out", 1); }

  OptionMap Options(const OptionMap& more) const {
    OptionMap options{{"brokers", kafka_.address()}, {"topic", "out"}, {"format", "json"}};
    for (const auto& [name, value] : more) options[name] = value;
    return options;
  }
  std::unique_ptr<KafkaSink> Make(const OptionMap& more = {}, const Schema& columns = kColumns,
                                  KafkaSinkInput input = KafkaSinkInput::kStream) {
    const auto options = ParseKafkaOptions(Options(more), columns);
    EXPECT_OK(options);
    return std::make_unique<KafkaSink>(*options, columns, AddressPolicy(), input);
  }
  // Asks until the sink is ready, at most half a minute.
  absl::StatusOr<bool> WaitReady(KafkaSink& sink, SinkCall call) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    absl::StatusOr<bool> ready = sink.Ready(call);
    while (ready.ok() && !*ready && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
      ready = sink.Ready(call);
    }
    return ready;
  }
  std::vector<std::string> ReadBack(int64_t count, const OptionMap& more = {}) {
    v1::ScanNode node;
    const OptionMap options = Options(more);
    node.mutable_options()->insert(options.begin(), options.end());
    for (const Field& field : kColumns) ToProto(field, node.add_columns());
    node.add_projection(0);
    node.add_projection(1);
    auto source = KafkaSource::Create(node, AddressPolicy(), SystemClock());
    v1::Split split;
    split.mutable_kafka()->set_topic(options.at("topic"));
    split.mutable_kafka()->set_end_offset(count);
    const auto rows = ReadSplit(**source, split, kColumns);
    EXPECT_OK(rows);
    return rows.value_or(std::vector<std::string>());
  }

  MockKafka kafka_;
};

TEST_F(KafkaSinkTest, WhatIsPreparedIsOnTheBroker) {
  for (const char* format : {"json", "csv"}) {
    SCOPED_TRACE(format);
    kafka_.CreateTopic(format, 1);
    const OptionMap more = {{"format", format}, {"topic", format}};
    const auto sink = Make(more);
    ASSERT_OK(sink->Open());
    ASSERT_TRUE(*WaitReady(*sink, SinkCall::kWrite));
    ASSERT_OK(sink->Write(TextBatch("1 a | 2 'b,c' | null d", TextSchema("int8 id, text k"))));
    ASSERT_TRUE(*WaitReady(*sink, SinkCall::kPrepare));
    const auto staged = sink->Prepare(4);
    ASSERT_OK(staged);
    EXPECT_THAT(*staged, IsEmpty());
    ASSERT_OK(sink->Close());
    ASSERT_OK(sink->Close());
    EXPECT_THAT(ReadBack(3, more), ElementsAre("1|a", "2|b,c", "NULL|d"));
  }
}

TEST_F(KafkaSinkTest, TheKeyColumnIsTheKeyAndNotInTheValue) {
  const auto sink = Make({{"key", "k"}});
  ASSERT_OK(sink->Open());
  ASSERT_OK(sink->Write(TextBatch("1 a | 2 null", TextSchema("int8 id, text k"))));
  ASSERT_TRUE(*WaitReady(*sink, SinkCall::kPrepare));
  EXPECT_THAT(ReadBack(2, {{"key", "k"}}), ElementsAre("1|a", "2|NULL"));
  EXPECT_THAT(ReadBack(2), ElementsAre("1|NULL", "2|NULL"));
}

TEST_F(KafkaSinkTest, ATimeThatAMessageCannotHaveIsAnError) {
  const Schema columns = {{"id", SqlType::Of(TypeId::kInt64)},
                          {"at", SqlType::Of(TypeId::kTimestamp)}};
  for (const char* micros : {"-86400000000", "0", "999"}) {
    SCOPED_TRACE(micros);
    const auto sink = Make({{"timestamp", "at"}}, columns);
    ASSERT_OK(sink->Open());
    EXPECT_ERROR(sink->Write(TextBatch(absl::StrCat("1 1000 | 2 null | 3 ", micros),
                                       TextSchema("int8 id, timestamp at"))),
                 SqlState::kDatetimeOverflow, "topic \"out\": column \"at\": 19");
    ASSERT_TRUE(*WaitReady(*sink, SinkCall::kPrepare));
  }
}

TEST_F(KafkaSinkTest, IsNotReadyToBePreparedWhileRowsAreUnderWay) {
  rd_kafka_mock_broker_set_down(kafka_.cluster(), 1);
  const auto sink = Make();
  ASSERT_OK(sink->Open());
  ASSERT_OK(sink->Write(TextBatch("1 a", TextSchema("int8 id, text k"))));
  EXPECT_FALSE(*sink->Ready(SinkCall::kPrepare));
  EXPECT_ERROR(sink->Prepare(1), SqlState::kInternalError, "before it was ready");
  rd_kafka_mock_broker_set_up(kafka_.cluster(), 1);
  EXPECT_TRUE(*WaitReady(*sink, SinkCall::kPrepare));
}

TEST_F(KafkaSinkTest, ARowThatCannotBeDeliveredIsAnError) {
  rd_kafka_mock_broker_set_down(kafka_.cluster(), 1);
  const auto sink = Make({{"properties.message.timeout.ms", "200"}});
  ASSERT_OK(sink->Open());
  ASSERT_OK(sink->Write(TextBatch("1 a", TextSchema("int8 id, text k"))));
  const auto ready = WaitReady(*sink, SinkCall::kPrepare);
  EXPECT_ERROR(ready, SqlState::kConnectionFailure, "topic \"out\": a row could not be delivered");
  EXPECT_EQ(GetErrorDetail(ready.status()).retry, Retry::kSafe);
  EXPECT_OK(sink->Abort());
  EXPECT_OK(sink->Close());
}

TEST_F(KafkaSinkTest, AStatementIsNotStartedAgainForARowThatCannotBeDelivered) {
  rd_kafka_mock_broker_set_down(kafka_.cluster(), 1);
  const auto sink =
      Make({{"properties.message.timeout.ms", "200"}}, kColumns, KafkaSinkInput::kStatement);
  ASSERT_OK(sink->Open());
  ASSERT_OK(sink->Write(TextBatch("1 a", TextSchema("int8 id, text k"))));
  const auto ready = WaitReady(*sink, SinkCall::kPrepare);
  EXPECT_ERROR(ready, SqlState::kConnectionFailure, "topic \"out\": a row could not be delivered");
  EXPECT_EQ(GetErrorDetail(ready.status()).retry, Retry::kNever);
  EXPECT_OK(sink->Close());
}

TEST_F(KafkaSinkTest, ARowThatABrokerRefusesIsNotTriedAgain) {
  const auto sink = Make();
  ASSERT_OK(sink->Open());
  rd_kafka_mock_push_request_errors(kafka_.cluster(), kProduceRequest, 1,
                                    RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP);
  ASSERT_OK(sink->Write(TextBatch("1 a", TextSchema("int8 id, text k"))));
  const auto ready = WaitReady(*sink, SinkCall::kPrepare);
  EXPECT_ERROR(ready, SqlState::kInvalidParameterValue,
               "topic \"out\": a row could not be delivered: Broker: Invalid timestamp");
  EXPECT_EQ(GetErrorDetail(ready.status()).retry, Retry::kNever);
  EXPECT_OK(sink->Abort());
  EXPECT_OK(sink->Close());
}

TEST_F(KafkaSinkTest, RefusesColumnsThatABrokerSets) {
  EXPECT_ERROR(Make({{"offset", "id"}})->Open(), SqlState::kFeatureNotSupported, "\"id\"");
}

TEST_F(KafkaSinkTest, CanBeClosedAtAnyTime) {
  EXPECT_OK(Make()->Close());
  const auto sink = Make();
  ASSERT_OK(sink->Open());
  ASSERT_OK(sink->Write(TextBatch("1 a", TextSchema("int8 id, text k"))));
  EXPECT_OK(sink->Abort());
  EXPECT_OK(sink->Close());
}

}  // namespace
}  // namespace millrace
