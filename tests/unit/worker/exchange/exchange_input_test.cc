#include "worker/exchange/exchange_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/operators/text_batch.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ExchangeInputTest : public ::testing::Test {
 protected:
  void Create(uint32_t num_channels, int64_t initial = Watermark::kMinWatermark) {
    for (uint32_t i = 0; i < num_channels; ++i) {
      channels_.push_back(std::make_shared<InputChannel>(ChannelAddress{1, 1, 1, i, 0}, 1, 1000));
    }
    input_ = std::make_unique<ExchangeInput>(channels_, initial);
  }
  void Push(int channel, std::string_view rows) {
    channels_[channel]->Push(TextBatch(rows, TextSchema("int8 k")), 10);
  }
  void Push(int channel, StreamMessage message) { channels_[channel]->Push(std::move(message), 0); }
  std::vector<std::string> Drain() {
    CollectingOutput log;
    while (true) {
      auto message = input_->Poll();
      EXPECT_TRUE(message.ok()) << message.status();
      if (!message.ok() || !message->has_value()) return log.log;
      EXPECT_TRUE(log.Send(**message).ok());
    }
  }

  std::vector<std::shared_ptr<InputChannel>> channels_;
  std::unique_ptr<ExchangeInput> input_;
};

TEST_F(ExchangeInputTest, TakesChannelsInTurn) {
  Create(2);
  Push(0, "1");
  Push(0, "2");
  Push(1, "3");
  EXPECT_THAT(Drain(), ElementsAre("b:1", "b:3", "b:2"));
  EXPECT_EQ(input_->waiting_for(), "input");
}

TEST_F(ExchangeInputTest, EndsWithTheLastChannel) {
  Create(2);
  Push(0, EndOfStream());
  EXPECT_THAT(Drain(), IsEmpty());
  Push(1, "1");
  Push(1, EndOfStream());
  EXPECT_THAT(Drain(), ElementsAre("b:1", "end"));
  EXPECT_THAT(Drain(), IsEmpty());
}

TEST_F(ExchangeInputTest, EndsAtOnceWithoutChannels) {
  Create(0);
  EXPECT_THAT(Drain(), ElementsAre("end"));
}

TEST_F(ExchangeInputTest, BarrierBlocksAChannelUntilAllHaveIt) {
  Create(3);
  Push(0, Barrier{5});
  Push(0, "1");
  Push(1, "2");
  EXPECT_THAT(Drain(), ElementsAre("b:2"));
  EXPECT_EQ(input_->waiting_for(), "barrier");
  Push(1, Barrier{5});
  Push(2, "3");
  EXPECT_THAT(Drain(), ElementsAre("b:3"));
  Push(2, Barrier{5});
  EXPECT_THAT(Drain(), ElementsAre("!5", "b:1"));
}

TEST_F(ExchangeInputTest, EndedChannelCountsAsAligned) {
  Create(2);
  Push(0, Barrier{5});
  EXPECT_THAT(Drain(), IsEmpty());
  Push(1, EndOfStream());
  EXPECT_THAT(Drain(), ElementsAre("!5"));
  Push(0, Barrier{6});
  EXPECT_THAT(Drain(), ElementsAre("!6"));
}

TEST_F(ExchangeInputTest, WatermarkIsTheLeastAndNeverFalls) {
  Create(2);
  Push(0, Watermark{10});
  EXPECT_THAT(Drain(), IsEmpty());
  Push(1, Watermark{20});
  EXPECT_THAT(Drain(), ElementsAre("w:10"));
  Push(0, Watermark{5});
  Push(0, Watermark{15});
  EXPECT_THAT(Drain(), ElementsAre("w:15"));
  Push(0, EndOfStream());
  EXPECT_THAT(Drain(), ElementsAre("w:20"));
  Push(1, Watermark{Watermark::kMaxWatermark});
  EXPECT_THAT(Drain(), ElementsAre("w:max"));
}

TEST_F(ExchangeInputTest, WatermarkComesBeforeTheBarrierBehindIt) {
  Create(2);
  Push(0, Watermark{10});
  Push(0, Barrier{1});
  Push(1, Watermark{20});
  Push(1, Barrier{1});
  EXPECT_THAT(Drain(), ElementsAre("w:10", "!1"));
}

TEST_F(ExchangeInputTest, BeginsAtTheRestoredWatermark) {
  Create(2, 100);
  EXPECT_THAT(Drain(), ElementsAre("w:100"));
  Push(0, Watermark{50});
  Push(1, Watermark{60});
  EXPECT_THAT(Drain(), IsEmpty());
}

TEST_F(ExchangeInputTest, RefusesAnotherEpochsBarrier) {
  Create(2);
  Push(0, Barrier{1});
  Push(1, Barrier{2});
  EXPECT_ERROR(input_->Poll(), SqlState::kProtocolViolation, "barrier");
}

}  // namespace
}  // namespace millrace
