#include "coordinator/scheduler/split_enumerator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "common/storage/local_file_system.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/mock_kafka.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

enum class PlanEnd : uint8_t { kEnds, kStreams };

// A plan that writes to a topic and reads nothing that has splits.
v1::PhysicalPlan WritesTo(const std::string& topic, const std::string& brokers, PlanEnd end) {
  v1::PhysicalPlan plan;
  plan.set_streaming(end == PlanEnd::kStreams);
  v1::PlanNode* root = plan.add_fragments()->mutable_root();
  // As a statement that ends has it: its tasks' counts are added up.
  v1::FileSinkNode* sink = root->add_inputs()->mutable_file_sink();
  ToProto(Field{"v", SqlType::Of(TypeId::kText)}, sink->add_columns());
  (*sink->mutable_options())["connector"] = "kafka";
  (*sink->mutable_options())["brokers"] = brokers;
  (*sink->mutable_options())["topic"] = topic;
  (*sink->mutable_options())["format"] = "raw";
  return plan;
}

class SplitEnumeratorTest : public ::testing::Test {
 protected:
  SplitEnumeratorTest() { kafka_.CreateTopic("clicks", 2); }

  absl::Status Enumerate(const v1::PhysicalPlan& plan) {
    const SplitEnumerator splits(PathPolicy::Create(file_system_, {}, {}).value(), "",
                                 AddressPolicy());
    return splits.Enumerate(plan, ReadSet()).status();
  }

  MockKafka kafka_;
  LocalFileSystem file_system_;
};

TEST_F(SplitEnumeratorTest, ATopicThatIsThereIsWrittenTo) {
  EXPECT_OK(Enumerate(WritesTo("clicks", kafka_.address(), PlanEnd::kEnds)));
}

TEST_F(SplitEnumeratorTest, AStatementEndsIfTheTopicThatItWritesToIsNotThere) {
  rd_kafka_mock_topic_set_error(kafka_.cluster(), "nowhere",
                                RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  EXPECT_ERROR(Enumerate(WritesTo("nowhere", kafka_.address(), PlanEnd::kEnds)),
               SqlState::kUndefinedObject, "topic \"nowhere\" does not exist");
}

TEST_F(SplitEnumeratorTest, AStatementMayOnlyWriteToBrokersThatAreAllowed) {
  EXPECT_ERROR(Enumerate(WritesTo("clicks", "elsewhere.example:9092", PlanEnd::kEnds)),
               SqlState::kInsufficientPrivilege, "elsewhere.example:9092 is not allowed");
}

TEST_F(SplitEnumeratorTest, AStreamWaitsForTheBrokersThatItWritesTo) {
  EXPECT_OK(Enumerate(WritesTo("clicks", "127.0.0.1:1", PlanEnd::kStreams)));
}

}  // namespace
}  // namespace millrace
