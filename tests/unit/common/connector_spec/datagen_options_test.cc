#include "common/connector_spec/datagen_options.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

const Schema kColumns = {{"id", SqlType::Of(TypeId::kInt64)},
                         {"ts", SqlType::Of(TypeId::kTimestamp)},
                         {"price", SqlType::Numeric(8, 2)}};

TEST(DatagenOptionsTest, ReadsGeneralAndColumnOptions) {
  const auto options = ParseDatagenOptions({{"connector", "datagen"},
                                            {"rows", "1_000"},
                                            {"rows_per_second", "100"},
                                            {"seed", "7"},
                                            {"id.kind", "sequence"},
                                            {"id.min", "5"},
                                            {"fields.ts.disorder", "2 s"},
                                            {"price.max", "9.5"},
                                            {"price.cardinality", "10"},
                                            {"price.zipf", "1.1"},
                                            {"price.null_share", "0.25"}},
                                           kColumns);
  ASSERT_OK(options);
  EXPECT_EQ(options->rows, 1000U);
  EXPECT_EQ(options->seed, 7U);
  EXPECT_EQ(options->columns[0].kind, DatagenKind::kSequence);
  EXPECT_EQ(options->columns[0].min, 5);
  EXPECT_EQ(options->columns[1].kind, DatagenKind::kSequence);
  EXPECT_EQ(options->columns[1].step, 10'000) << "a row each hundredth of a second";
  EXPECT_EQ(options->columns[1].disorder_micros, 2'000'000);
  EXPECT_EQ(options->columns[2].max_double, 9.5);
  EXPECT_EQ(options->columns[2].zipf, 1.1);
}

TEST(DatagenOptionsTest, WithoutRowsItNeverEnds) {
  EXPECT_FALSE(ParseDatagenOptions({}, kColumns)->rows.has_value());
}

TEST(DatagenOptionsTest, WrongOptionsAreErrors) {
  const std::pair<OptionMap, const char*> cases[] = {
      {{{"row", "5"}}, "unknown option \"row\""},
      {{{"idd.min", "5"}}, "there is no column \"idd\""},
      {{{"id.mim", "5"}}, "unknown option \"mim\""},
      {{{"id.min", "x"}}, "\"id.min\": \"x\""},
      {{{"id.min", "5"}, {"id.max", "4"}}, "max is below min"},
      {{{"id.zipf", "1"}}, "zipf needs a cardinality"},
      {{{"id.disorder", "1 s"}}, "disorder is for timestamps"},
      {{{"id.null_share", "1.5"}}, "null_share"},
      {{{"id.kind", "bid"}}, "\"kind\": \"bid\""}};
  for (const auto& [options, message] : cases) {
    EXPECT_ERROR(ParseDatagenOptions(options, kColumns), SqlState::kInvalidParameterValue, message);
  }
  EXPECT_ERROR(ParseDatagenOptions({}, {}), SqlState::kInvalidTableDefinition, "needs the columns");
}

}  // namespace
}  // namespace millrace
