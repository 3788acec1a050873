#include "worker/exchange/exchange_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ExchangeOutputTest : public ::testing::Test {
 protected:
  void Create(SpreadMode mode, uint32_t num_channels, int64_t window_bytes = 1 << 20) {
    std::vector<std::shared_ptr<OutputChannel>> outputs;
    std::vector<uint32_t> targets;
    for (uint32_t i = 0; i < num_channels; ++i) {
      inputs_.push_back(
          std::make_shared<InputChannel>(ChannelAddress{1, 1, 1, 0, i}, 1, window_bytes));
      outputs.push_back(LocalOutputChannel::Connect(inputs_.back()));
      targets.push_back(i);
    }
    std::optional<HashPartitioner> partitioner;
    if (mode == SpreadMode::kHash) partitioner.emplace(std::vector<int>{0}, targets, num_channels);
    output_ = std::make_unique<ExchangeOutput>(mode, std::move(outputs), std::move(partitioner));
  }
  // Everything that has come on a channel.
  std::vector<std::string> Received(int channel) {
    CollectingOutput log;
    while (true) {
      auto message = inputs_[channel]->Pop();
      EXPECT_TRUE(message.ok());
      if (!message.ok() || !message->has_value()) return log.log;
      EXPECT_TRUE(log.Send(**message).ok());
    }
  }
  Batch Rows(std::string_view text) { return TextBatch(text, TextSchema("int8 k")); }
  Batch Numbers(int begin, int end) {
    std::string text;
    for (int i = begin; i < end; ++i) absl::StrAppend(&text, i == begin ? "" : " | ", i);
    return Rows(text);
  }

  std::vector<std::shared_ptr<InputChannel>> inputs_;
  std::unique_ptr<ExchangeOutput> output_;
};

TEST_F(ExchangeOutputTest, EqualKeysGoToOneChannel) {
  Create(SpreadMode::kHash, 3);
  ASSERT_OK(output_->Send(Numbers(0, 100)));
  ASSERT_OK(output_->Send(Numbers(0, 100)));
  ASSERT_OK(output_->Send(EndOfStream()));
  std::multiset<std::string> all;
  for (int channel = 0; channel < 3; ++channel) {
    auto message = inputs_[channel]->Pop();
    ASSERT_OK(message);
    ASSERT_TRUE(message->has_value());
    const auto rows = RowsOf(std::get<Batch>(**message));
    std::set<std::string> distinct(rows.begin(), rows.end());
    EXPECT_EQ(distinct.size() * 2, rows.size());
    EXPECT_GT(rows.size(), 20);
    all.insert(rows.begin(), rows.end());
    EXPECT_THAT(Received(channel), ElementsAre("end"));
  }
  EXPECT_THAT(all, SizeIs(200));
  EXPECT_TRUE(output_->drained());
}

TEST_F(ExchangeOutputTest, BroadcastReachesEveryChannel) {
  Create(SpreadMode::kBroadcast, 2);
  ASSERT_OK(output_->Send(Rows("1")));
  ASSERT_OK(output_->Send(Rows("2")));
  ASSERT_OK(output_->Send(Watermark{3}));
  EXPECT_THAT(Received(0), ElementsAre("b:1,2", "w:3"));
  EXPECT_THAT(Received(1), ElementsAre("b:1,2", "w:3"));
}

TEST_F(ExchangeOutputTest, BigBatchesGoInTurn) {
  Create(SpreadMode::kTurn, 2);
  ASSERT_OK(output_->Send(Numbers(0, 4000)));
  ASSERT_OK(output_->Send(Numbers(0, 4000)));
  EXPECT_THAT(Received(0), SizeIs(1));
  EXPECT_THAT(Received(1), SizeIs(1));
}

TEST_F(ExchangeOutputTest, SmallBatchesWaitForMore) {
  Create(SpreadMode::kTurn, 1);
  ASSERT_OK(output_->Send(Rows("1")));
  EXPECT_THAT(Received(0), IsEmpty());
  ASSERT_OK(output_->Send(Barrier{1}));
  EXPECT_THAT(Received(0), ElementsAre("b:1", "!1"));
  ASSERT_OK(output_->Send(Rows("2")));
  ASSERT_OK(output_->FlushPartial());
  EXPECT_THAT(Received(0), ElementsAre("b:2"));
}

TEST_F(ExchangeOutputTest, BusyReceiverIsNotSentPartialBatches) {
  Create(SpreadMode::kTurn, 1);
  ASSERT_OK(output_->Send(Rows("1")));
  ASSERT_OK(output_->FlushPartial());
  ASSERT_OK(output_->Send(Rows("2")));
  ASSERT_OK(output_->Send(Rows("3")));
  ASSERT_OK(output_->FlushPartial());
  EXPECT_THAT(Received(0), ElementsAre("b:1"));
  ASSERT_OK(output_->FlushPartial());
  EXPECT_THAT(Received(0), ElementsAre("b:2,3"));
}

TEST_F(ExchangeOutputTest, SlowReceiverStopsTheProducerInOrder) {
  Create(SpreadMode::kTurn, 1, /*window_bytes=*/1000);
  ASSERT_OK(output_->Send(Numbers(0, 4000)));
  EXPECT_FALSE(output_->full());
  ASSERT_OK(output_->Send(Numbers(0, 4000)));
  EXPECT_TRUE(output_->full());
  ASSERT_OK(output_->Send(EndOfStream()));
  EXPECT_FALSE(output_->drained());
  EXPECT_THAT(Received(0), SizeIs(1));
  ASSERT_OK(output_->Pump());
  EXPECT_FALSE(output_->full());
  EXPECT_TRUE(output_->drained());
  EXPECT_THAT(Received(0), SizeIs(2));
}

TEST_F(ExchangeOutputTest, ClosedChannelsGetNothing) {
  Create(SpreadMode::kTurn, 2);
  inputs_[0]->Close();
  EXPECT_FALSE(output_->closed());
  ASSERT_OK(output_->Send(Numbers(0, 4000)));
  ASSERT_OK(output_->Send(Numbers(0, 4000)));
  EXPECT_THAT(Received(1), SizeIs(2));
  inputs_[1]->Close();
  EXPECT_TRUE(output_->closed());
}

TEST_F(ExchangeOutputTest, ReportsALostReceiver) {
  auto input = std::make_shared<InputChannel>(ChannelAddress{}, 1, 100);
  auto channel = LocalOutputChannel::Connect(input);
  ExchangeOutput output(SpreadMode::kTurn, {channel}, std::nullopt);
  channel->OnFailed(MakeError(SqlState::kConnectionFailure, "lost worker 2"));
  EXPECT_ERROR(output.Pump(), SqlState::kConnectionFailure, "worker 2");
}

}  // namespace
}  // namespace millrace
