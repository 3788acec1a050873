#include "worker/connectors/kafka/kafka_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/mock_kafka.h"
#include "tests/support/source_contract.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Schema kOutput = {{"id", SqlType::Of(TypeId::kInt64)}, {"k", SqlType::Of(TypeId::kText)}};

// The system's clock, and as far ahead of it as a test wants.
class AheadClock final : public Clock {
 public:
  int64_t MonotonicMicros() const override {
    return SystemClock().MonotonicMicros() + ahead_micros_;
  }
  int64_t WallMicros() const override { return SystemClock().WallMicros() + ahead_micros_; }
  void Advance(int64_t micros) { ahead_micros_ += micros; }

 private:
  int64_t ahead_micros_ = 0;
};

class KafkaSourceTest : public ::testing::Test {
 protected:
  KafkaSourceTest() { kafka_.CreateTopic("clicks", 2); }

  void SendIds(int32_t partition, int first, int last) {
    for (int id = first; id < last; ++id) {
      kafka_.Send("clicks", partition, absl::StrCat("{\"id\":", id, "}"), absl::StrCat("k", id));
    }
  }

  std::unique_ptr<Source> Make(const OptionMap& more = {}) {
    v1::ScanNode node;
    node.set_connector("kafka");
    OptionMap options{
        {"brokers", kafka_.address()}, {"topic", "clicks"}, {"format", "json"}, {"key", "k"}};
    for (const auto& [name, value] : more) options[name] = value;
    node.mutable_options()->insert(options.begin(), options.end());
    for (const Field& field : kOutput) ToProto(field, node.add_columns());
    node.add_projection(0);
    node.add_projection(1);
    auto source = KafkaSource::Create(node, AddressPolicy(), clock_);
    EXPECT_OK(source);
    return *std::move(source);
  }

  static v1::Split Split(int32_t partition, int64_t begin, std::optional<int64_t> end) {
    v1::Split split;
    split.set_id(static_cast<uint64_t>(partition));
    split.mutable_kafka()->set_topic("clicks");
    split.mutable_kafka()->set_partition(partition);
    split.mutable_kafka()->set_begin_offset(begin);
    if (end.has_value()) split.mutable_kafka()->set_end_offset(*end);
    return split;
  }

  // Polls until `done` says so, at most half a minute; the rows that came.
  template <typename Done>
  std::vector<std::string> PollUntil(Source& source, Done done) {
    std::vector<std::string> rows;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < deadline) {
      Batch batch;
      last_ = source.Poll(PollBudget(), &batch);
      if (!last_.ok()) return rows;
      for (std::string& row : RowsAsText(batch, kOutput)) rows.push_back(std::move(row));
      if (done(rows)) return rows;
      std::this_thread::yield();
    }
    ADD_FAILURE() << "waited in vain; trouble: " << source.waiting_for();
    return rows;
  }

  MockKafka kafka_;
  AheadClock clock_;
  absl::StatusOr<PollResult> last_;
};

TEST_F(KafkaSourceTest, FulfilsTheContract) {
  SendIds(0, 0, 6);
  SendIds(1, 100, 103);
  CheckSourceContract({[this] { return Make(); },
                       {Split(0, 0, 6), Split(0, 2, 4), Split(1, 0, 3), Split(1, 3, 3)},
                       kOutput});
}

TEST_F(KafkaSourceTest, ReadsExactlyTheRange) {
  SendIds(0, 0, 10);
  const auto rows = ReadSplit(*Make(), Split(0, 3, 6), kOutput);
  ASSERT_OK(rows);
  EXPECT_THAT(*rows, ElementsAre("3|k3", "4|k4", "5|k5"));
}

TEST_F(KafkaSourceTest, AnEndlessSplitIsIdleAtItsEndAndGoesOn) {
  SendIds(0, 0, 2);
  const auto source = Make();
  ASSERT_OK(source->Open(Split(0, 0, std::nullopt)));
  EXPECT_THAT(PollUntil(*source, [&](const auto&) { return source->caught_up(); }),
              ElementsAre("0|k0", "1|k1"));
  EXPECT_EQ(*last_, PollResult::kIdle);
  EXPECT_EQ(source->Position().offset(), 2U);
  EXPECT_EQ(source->Position().path(), "clicks/0");
  EXPECT_FALSE(source->Position().ended());
  SendIds(0, 2, 3);
  EXPECT_THAT(PollUntil(*source, [](const auto& rows) { return !rows.empty(); }),
              ElementsAre("2|k2"));
}

TEST_F(KafkaSourceTest, GoesRoundItsPartitionsWithoutReadingAnythingTwice) {
  const auto source = Make();
  SendIds(0, 0, 3);
  SendIds(1, 10, 13);
  std::vector<v1::Split> splits = {Split(0, 0, std::nullopt), Split(1, 0, std::nullopt)};
  std::vector<std::string> rows;
  int turn = 0;
  PollUntil(*source, [&](const auto&) { return true; });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (rows.size() < 6 && std::chrono::steady_clock::now() < deadline) {
    v1::Split& split = splits[static_cast<size_t>(turn++ % 2)];
    ASSERT_OK(source->Open(split));
    Batch batch;
    ASSERT_OK(source->Poll(PollBudget{1, 1 << 20}, &batch));
    for (std::string& row : RowsAsText(batch, kOutput)) rows.push_back(std::move(row));
    *split.mutable_resume() = source->Position();
  }
  std::sort(rows.begin(), rows.end());
  EXPECT_THAT(rows, ElementsAre("0|k0", "10|k10", "11|k11", "12|k12", "1|k1", "2|k2"));
}

TEST_F(KafkaSourceTest, ManyPartitionsAreReadByOneSource) {
  kafka_.CreateTopic("wide", 20);
  for (int32_t partition = 0; partition < 20; ++partition) {
    for (int i = 0; i < 2; ++i) kafka_.Send("wide", partition, absl::StrCat("{\"id\":", i, "}"));
  }
  const auto source = Make({{"topic", "wide"}});
  std::vector<v1::Split> splits;
  for (int32_t partition = 0; partition < 20; ++partition) {
    splits.push_back(Split(partition, 0, std::nullopt));
    splits.back().mutable_kafka()->set_topic("wide");
  }
  size_t num_rows = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (num_rows < 40 && std::chrono::steady_clock::now() < deadline) {
    for (v1::Split& split : splits) {
      ASSERT_OK(source->Open(split));
      Batch batch;
      ASSERT_OK(source->Poll(PollBudget{1, 1 << 20}, &batch));
      num_rows += static_cast<size_t>(batch.num_rows());
      *split.mutable_resume() = source->Position();
    }
  }
  EXPECT_EQ(num_rows, 40U);
  for (const v1::Split& split : splits) EXPECT_EQ(split.resume().offset(), 2U);
}

TEST_F(KafkaSourceTest, AnOffsetThatTheBrokerDoesNotHaveIsAnError) {
  SendIds(0, 0, 2);
  const auto source = Make();
  ASSERT_OK(source->Open(Split(0, 50, std::nullopt)));
  PollUntil(*source, [](const auto&) { return false; });
  EXPECT_ERROR(last_, SqlState::kObjectNotInPrerequisiteState,
               "clicks/0: the broker does not have offset 50");
  EXPECT_EQ(GetErrorDetail(last_.status()).retry, Retry::kNever);
}

TEST_F(KafkaSourceTest, BadRowsTellTheirOffsetAndDoNotStopTheRest) {
  kafka_.Send("clicks", 0, "{\"id\":1}");
  kafka_.Send("clicks", 0, "nonsense");
  kafka_.Send("clicks", 0, "{\"id\":3}");
  const auto source = Make({{"bad_rows", "keep"}});
  const auto rows = ReadSplit(*source, Split(0, 0, 3), kOutput);
  ASSERT_OK(rows);
  EXPECT_THAT(*rows, ElementsAre("1|NULL", "3|NULL"));
  EXPECT_EQ(source->bad_rows(), 1U);
  EXPECT_EQ(source->Position().rows(), 3U);
  const std::vector<BadRow> kept = source->TakeBadRows();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].path, "clicks/0");
  EXPECT_EQ(kept[0].position, 1U);
}

TEST_F(KafkaSourceTest, WaitsForABrokerThatIsAwayAndSaysSo) {
  SendIds(0, 0, 1);
  const auto source = Make();
  ASSERT_OK(source->Open(Split(0, 0, std::nullopt)));
  PollUntil(*source, [&](const auto&) { return source->caught_up(); });
  rd_kafka_mock_broker_set_down(kafka_.cluster(), 1);
  PollUntil(*source, [&](const auto&) { return !source->caught_up(); });
  PollUntil(*source, [&](const auto&) {
    return absl::string_view(source->waiting_for()).substr(0, 8) == "broker: ";
  });
  rd_kafka_mock_broker_set_up(kafka_.cluster(), 1);
  SendIds(0, 1, 2);
  EXPECT_THAT(PollUntil(*source, [](const auto& rows) { return !rows.empty(); }),
              ElementsAre("1|k1"));
  PollUntil(*source, [&](const auto&) { return source->caught_up(); });
  EXPECT_EQ(source->waiting_for(), "input");
}

TEST_F(KafkaSourceTest, ASplitThatEndsGivesUpABrokerThatStaysAway) {
  SendIds(0, 0, 1);
  rd_kafka_mock_broker_set_down(kafka_.cluster(), 1);
  // With `stop` it may be a stream's, whose job is tried again.
  const std::pair<OptionMap, Retry> cases[] = {{{}, Retry::kNever},
                                               {{{"stop", "latest"}}, Retry::kSafe}};
  for (const auto& [options, retry] : cases) {
    SCOPED_TRACE(options.size());
    const auto source = Make(options);
    ASSERT_OK(source->Open(Split(0, 0, 1)));
    PollUntil(*source, [&](const auto&) { return source->waiting_for() != "input"; });
    EXPECT_OK(last_);
    clock_.Advance(61'000'000);
    PollUntil(*source, [](const auto&) { return false; });
    EXPECT_ERROR(last_, SqlState::kConnectionFailure, "clicks/0: ");
    EXPECT_EQ(GetErrorDetail(last_.status()).retry, retry);
  }
}

TEST_F(KafkaSourceTest, BrokersThatThePolicyForbidsAreNeverConnectedTo) {
  const auto source = Make({{"brokers", "192.0.2.1:9092"}});
  EXPECT_ERROR(source->Open(Split(0, 0, std::nullopt)), SqlState::kInsufficientPrivilege,
               "192.0.2.1:9092 is not allowed");
}

TEST_F(KafkaSourceTest, HeadersBecomeJson) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(2);
  rd_kafka_header_add(headers, "a", -1, "x\"y", -1);
  rd_kafka_header_add(headers, "b", -1, nullptr, 0);
  rd_kafka_header_add(headers, "a", -1, "\xFF", 1);
  kafka_.Send("clicks", 0, "{\"id\":1}", std::nullopt, headers);
  kafka_.Send("clicks", 0, "{\"id\":2}");
  const auto source = Make({{"key", "id"}, {"headers", "k"}});
  const auto rows = ReadSplit(*source, Split(0, 0, 2), kOutput);
  ASSERT_OK(rows);
  EXPECT_THAT(*rows,
              ElementsAre("NULL|{\"a\":\"x\\\"y\",\"b\":null,\"a\":\"\\\\xff\"}", "NULL|NULL"));
}

}  // namespace
}  // namespace millrace
