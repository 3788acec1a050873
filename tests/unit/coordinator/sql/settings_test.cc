#include "coordinator/sql/settings.h"

#include <gtest/gtest.h>

#include "common/base/status.h"

namespace millrace {
namespace {

std::string Normalized(absl::string_view name, absl::string_view value) {
  const absl::StatusOr<std::string> result = NormalizeSetting(name, value);
  if (result.ok()) return *result;
  return std::string(SqlStateCode(GetErrorDetail(result.status()).state));
}

TEST(SettingsTest, DefaultsAreNormal) {
  for (const SettingSpec& setting : AllSettings()) {
    EXPECT_EQ(Normalized(setting.name, setting.default_value), setting.default_value)
        << setting.name;
  }
}

TEST(SettingsTest, ReadsCounts) {
  EXPECT_EQ(Normalized("parallelism", "8"), "8");
  EXPECT_EQ(Normalized("parallelism", "-1"), "22023");
  EXPECT_EQ(Normalized("parallelism", "many"), "22023");
  EXPECT_EQ(Normalized("batch_rows", "10"), "22023");
}

TEST(SettingsTest, ReadsDurations) {
  EXPECT_EQ(Normalized("epoch_interval", "250ms"), "250 ms");
  EXPECT_EQ(Normalized("epoch_interval", "1000"), "1 s");
  EXPECT_EQ(Normalized("statement_timeout", "1 h 30 min"), "5400 s");
  EXPECT_EQ(Normalized("epoch_interval", "1 h"), "22023");
  EXPECT_EQ(Normalized("epoch_interval", "soon"), "22023");
}

TEST(SettingsTest, KnowsOneTimeZone) {
  EXPECT_EQ(Normalized("timezone", "utc"), "UTC");
  EXPECT_EQ(Normalized("timezone", "Europe/Berlin"), "0A000");
}

TEST(SettingsTest, NamesTheNearest) {
  const absl::Status status = FindSetting("paralelism").status();
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kUndefinedObject);
  EXPECT_EQ(GetErrorDetail(status).hint, "Perhaps you meant \"parallelism\".");
}

}  // namespace
}  // namespace millrace
