#include "coordinator/service/session_settings.h"

#include "common/base/status.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

TEST(SessionSettingsTest, NothingSetLeavesTheServersChoice) {
  const auto settings = ParseSessionSettings({});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->parallelism, 0);
  EXPECT_EQ(settings->statement_timeout_micros, 0);
}

TEST(SessionSettingsTest, ValuesGetTheirTypes) {
  const auto settings = ParseSessionSettings({{"parallelism", "3"},
                                              {"query_memory_mb", "64"},
                                              {"epoch_interval", "250 ms"},
                                              {"checkpoint_interval", "2 s"},
                                              {"statement_timeout", "1500"}});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->parallelism, 3);
  EXPECT_EQ(settings->query_memory_bytes, uint64_t{64} << 20);
  EXPECT_EQ(settings->epoch_interval_micros, 250'000);
  EXPECT_EQ(settings->checkpoint_interval_micros, 2'000'000);
  EXPECT_EQ(settings->statement_timeout_micros, 1'500'000);
}

TEST(SessionSettingsTest, WrongValuesAndNamesAreErrors) {
  EXPECT_EQ(GetErrorDetail(ParseSessionSettings({{"parallelism", "many"}}).status()).state,
            SqlState::kInvalidParameterValue);
  EXPECT_EQ(GetErrorDetail(ParseSessionSettings({{"paralelism", "1"}}).status()).state,
            SqlState::kUndefinedObject);
}

}  // namespace
}  // namespace millrace
