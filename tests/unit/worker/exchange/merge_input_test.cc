#include "worker/exchange/merge_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

class MergeInputTest : public ::testing::Test {
 protected:
  void Create(uint32_t num_channels, const Schema& schema, bool descending = false) {
    schema_ = schema;
    for (uint32_t i = 0; i < num_channels; ++i) {
      channels_.push_back(std::make_shared<InputChannel>(ChannelAddress{1, 1, 1, i, 0}, 1, 1000));
    }
    SortKey key;
    key.expr = MakeColumn(0, schema[0].type);
    key.descending = descending;
    auto input = MergeInput::Create(channels_, schema, {key}, EvalContext());
    ASSERT_OK(input);
    input_ = *std::move(input);
  }
  void Push(int channel, const std::string& rows) {
    channels_[channel]->Push(TextBatch(rows, schema_), 1);
  }
  void End(int channel) { channels_[channel]->Push(EndOfStream(), 0); }
  // Rows until there is nothing; "end" at the end.
  std::vector<std::string> Drain() {
    std::vector<std::string> rows;
    while (true) {
      auto message = input_->Poll();
      EXPECT_TRUE(message.ok()) << message.status();
      if (!message.ok() || !message->has_value()) return rows;
      if (std::holds_alternative<EndOfStream>(**message)) {
        rows.push_back("end");
        continue;
      }
      for (const auto& row : RowsOf(std::get<Batch>(**message))) rows.push_back(row);
    }
  }

  Schema schema_;
  std::vector<std::shared_ptr<InputChannel>> channels_;
  std::unique_ptr<MergeInput> input_;
};

TEST_F(MergeInputTest, MergesInOrderTiesByChannel) {
  Create(2, TextSchema("int8 k, text s"));
  Push(0, "1 a | 3 a | 5 a");
  Push(1, "1 b | 2 b | 5 b");
  End(0);
  End(1);
  EXPECT_THAT(Drain(), ElementsAre("1 a", "1 b", "2 b", "3 a", "5 a", "5 b", "end"));
}

TEST_F(MergeInputTest, WaitsForTheChannelThatMayHaveTheLeastRow) {
  Create(2, TextSchema("int8 k"));
  Push(0, "1 | 4");
  EXPECT_THAT(Drain(), ElementsAre());
  Push(1, "2");
  EXPECT_THAT(Drain(), ElementsAre("1", "2"));
  Push(1, "3 | 6");
  EXPECT_THAT(Drain(), ElementsAre("3", "4"));
  End(0);
  EXPECT_THAT(Drain(), ElementsAre("6"));
  End(1);
  EXPECT_THAT(Drain(), ElementsAre("end"));
}

TEST_F(MergeInputTest, DescendingWithNulls) {
  Create(2, TextSchema("text s"), true);
  Push(0, "c | a");
  Push(1, "b");
  End(0);
  End(1);
  EXPECT_THAT(Drain(), ElementsAre("c", "b", "a", "end"));
}

TEST_F(MergeInputTest, EmptyChannels) {
  Create(3, TextSchema("int8 k"));
  for (int i = 0; i < 3; ++i) End(i);
  EXPECT_THAT(Drain(), ElementsAre("end"));
}

TEST_F(MergeInputTest, ManyRowsStaySorted) {
  Create(4, TextSchema("int8 k, text s"));
  std::mt19937 random(7);
  size_t num_rows = 0;
  for (int channel = 0; channel < 4; ++channel) {
    int64_t key = 0;
    for (int batch = 0; batch < 40; ++batch) {
      std::string text;
      for (int i = 0; i < 1000; ++i, ++num_rows) {
        key += random() % 3;
        absl::StrAppend(&text, i == 0 ? "" : " | ", key, " s", key);
      }
      Push(channel, text);
    }
    End(channel);
  }
  const std::vector<std::string> rows = Drain();
  ASSERT_EQ(rows.size(), num_rows + 1);
  int64_t last = -1;
  for (size_t i = 0; i < num_rows; ++i) {
    const auto blank = rows[i].find(' ');
    int64_t key = 0;
    ASSERT_TRUE(absl::SimpleAtoi(rows[i].substr(0, blank), &key));
    ASSERT_GE(key, last);
    ASSERT_EQ(rows[i].substr(blank + 1), absl::StrCat("s", key));
    last = key;
  }
}

// 60 rows of 1 MiB.
TEST_F(MergeInputTest, CutsWideRowsByBytes) {
  Create(2, TextSchema("int8 k, text s"));
  for (int batch = 0; batch < 2; ++batch) {
    for (int channel = 0; channel < 2; ++channel) {
      std::string rows;
      for (int i = 0; i < 15; ++i) {
        absl::StrAppend(&rows, i == 0 ? "" : " | ", 30 * batch + 2 * i + channel, " ",
                        std::string(1 << 20, 'x'));
      }
      Push(channel, rows);
    }
  }
  End(0);
  End(1);
  int64_t next = 0;
  while (true) {
    auto message = input_->Poll();
    ASSERT_OK(message);
    ASSERT_TRUE(message->has_value());
    if (std::holds_alternative<EndOfStream>(**message)) break;
    const Batch& batch = std::get<Batch>(**message);
    EXPECT_LE(batch.ByteSize(), kMaxBatchBytes + (2 << 20));
    const ColumnView keys(*batch.column(0));
    for (int64_t i = 0; i < batch.num_rows(); ++i) EXPECT_EQ(keys.Get<int64_t>(i), next++);
  }
  EXPECT_EQ(next, 60);
}

}  // namespace
}  // namespace millrace
