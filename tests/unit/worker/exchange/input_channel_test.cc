#include "worker/exchange/input_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/operators/text_batch.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"
#include "worker/exchange/channel_registry.h"
#include "worker/exchange/output_channel.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

const ChannelAddress kChannelAddress{1, 1, 1, 0, 0};

class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() {
    input_->SetConsumer(consumer_);
    output_->SetProducer(producer_);
  }
  Batch Rows(std::string_view text) { return TextBatch(text, TextSchema("int8 k")); }
  std::optional<StreamMessage> Pop() {
    auto message = input_->Pop();
    EXPECT_TRUE(message.ok()) << message.status();
    return message.ok() ? *message : std::nullopt;
  }

  std::shared_ptr<CountingWakeable> consumer_ = std::make_shared<CountingWakeable>();
  std::shared_ptr<CountingWakeable> producer_ = std::make_shared<CountingWakeable>();
  std::shared_ptr<InputChannel> input_ =
      std::make_shared<InputChannel>(kChannelAddress, /*producer_worker=*/3, /*window_bytes=*/200);
  std::shared_ptr<LocalOutputChannel> output_ = LocalOutputChannel::Connect(input_);
};

TEST_F(ChannelTest, PassesMessagesInOrder) {
  ASSERT_OK(output_->Send(Rows("1")));
  ASSERT_OK(output_->Send(Watermark{4}));
  ASSERT_OK(output_->Send(EndOfStream()));
  EXPECT_EQ(consumer_->wakes, 3);
  EXPECT_THAT(RowsOf(std::get<Batch>(*Pop())), ElementsAre("1"));
  EXPECT_EQ(std::get<Watermark>(*Pop()).micros, 4);
  EXPECT_TRUE(std::holds_alternative<EndOfStream>(*Pop()));
  EXPECT_FALSE(Pop().has_value());
}

TEST_F(ChannelTest, CreditBoundsWhatIsInFlight) {
  EXPECT_TRUE(output_->MaySend(1'000'000));  // Nothing is in flight: any size.
  ASSERT_OK(output_->Send(Rows("1")));
  EXPECT_TRUE(output_->MaySend(100));
  EXPECT_FALSE(output_->MaySend(1'000));
  EXPECT_FALSE(output_->NothingInFlight());
  EXPECT_EQ(producer_->wakes, 0);
  Pop();
  EXPECT_EQ(producer_->wakes, 1);
  EXPECT_TRUE(output_->NothingInFlight());
  EXPECT_EQ(input_->queued_bytes(), 0);
}

TEST_F(ChannelTest, ControlMessagesNeedNoCredit) {
  ASSERT_OK(output_->Send(
      Rows("1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17")));
  EXPECT_FALSE(output_->MaySend(1));
  ASSERT_OK(output_->Send(Barrier{1}));
  Pop();
  EXPECT_EQ(std::get<Barrier>(*Pop()).epoch, 1);
}

TEST_F(ChannelTest, CloseTellsTheProducerAndDropsRows) {
  ASSERT_OK(output_->Send(Rows("1")));
  input_->Close();
  EXPECT_TRUE(output_->closed());
  EXPECT_EQ(producer_->wakes, 1);
  ASSERT_OK(output_->Send(Rows("2")));
  EXPECT_EQ(input_->queued_bytes(), 0);
}

TEST_F(ChannelTest, ProducerThatComesLaterHearsOfTheClose) {
  auto input = std::make_shared<InputChannel>(kChannelAddress, 3, 200);
  input->Close();
  auto output = LocalOutputChannel::Connect(input);
  EXPECT_TRUE(output->closed());
}

TEST_F(ChannelTest, CloseAfterTheEndTellsNobody) {
  ASSERT_OK(output_->Send(EndOfStream()));
  input_->Close();
  EXPECT_FALSE(output_->closed());
}

TEST_F(ChannelTest, BrokenStreamFailsItsChannelsUnlessTheyHadEnded) {
  ChannelRegistry registry;
  auto ended = std::make_shared<InputChannel>(ChannelAddress{1, 1, 1, 1, 0}, 3, 200);
  auto silent = std::make_shared<InputChannel>(ChannelAddress{1, 1, 1, 2, 0}, 3, 200);
  auto newer = std::make_shared<InputChannel>(ChannelAddress{1, 1, 1, 3, 0}, 3, 200);
  auto elsewhere = std::make_shared<InputChannel>(ChannelAddress{1, 1, 1, 4, 0}, 4, 200);
  registry.Register(input_);
  registry.Register(ended);
  registry.Register(silent);
  registry.Register(newer);
  registry.Register(elsewhere);
  ended->SetCreditReceiver(output_);
  const auto newer_stream = LocalOutputChannel::Connect(newer);
  ended->Push(EndOfStream(), 0);
  const std::weak_ptr<CreditReceiver> stream = output_;
  registry.FailChannelsOf(3, stream, MakeError(SqlState::kConnectionFailure, "lost worker 3"));
  EXPECT_ERROR(input_->Pop(), SqlState::kConnectionFailure, "worker 3");
  EXPECT_ERROR(silent->Pop(), SqlState::kConnectionFailure, "worker 3");
  ASSERT_OK(ended->Pop());
  ASSERT_OK(newer->Pop());
  ASSERT_OK(elsewhere->Pop());
}

TEST_F(ChannelTest, FailureReachesTheProducer) {
  ASSERT_OK(output_->failure());
  output_->OnFailed(MakeError(SqlState::kConnectionFailure, "lost worker 4"));
  EXPECT_ERROR(output_->failure(), SqlState::kConnectionFailure, "worker 4");
  EXPECT_EQ(producer_->wakes, 1);
}

TEST_F(ChannelTest, RegistryCountsFramesOfUnknownAttempts) {
  ChannelRegistry registry;
  registry.Register(input_);
  EXPECT_EQ(registry.Find(kChannelAddress), input_);
  EXPECT_EQ(registry.Find({1, 2, 1, 0, 0}), nullptr);
  registry.Unregister(1, 1);
  EXPECT_EQ(registry.Find(kChannelAddress), nullptr);
  EXPECT_EQ(registry.stale_frames(), 2);
}

}  // namespace
}  // namespace millrace
