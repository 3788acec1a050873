#include "common/plan/partial_columns.h"

#include "gtest/gtest.h"

namespace millrace {
namespace {

using F = AggregateFunction;

std::string Columns(F function, const std::vector<SqlType>& args) {
  std::string text;
  for (const SqlType& type : PartialColumns({function, {0}, false, {}, {}}, args)) {
    text += (text.empty() ? "" : ",") + std::string(ShortTypeName(type.id)) +
            (type.is_numeric() ? std::to_string(type.scale) : "");
  }
  return text;
}

TEST(PartialColumnsTest, FollowTheArgumentsType) {
  const SqlType int4 = SqlType::Of(TypeId::kInt32);
  const SqlType int8 = SqlType::Of(TypeId::kInt64);
  const SqlType float4 = SqlType::Of(TypeId::kFloat32);
  const SqlType price = SqlType::Numeric(12, 2);
  const SqlType text = SqlType::Of(TypeId::kText);
  const SqlType boolean = SqlType::Of(TypeId::kBoolean);
  EXPECT_EQ(Columns(F::kCountStar, {}), "int8");
  EXPECT_EQ(Columns(F::kCount, {text}), "int8");
  EXPECT_EQ(Columns(F::kSum, {int4}), "int8,int8");
  EXPECT_EQ(Columns(F::kAvg, {int8}), "numeric0,int8");
  EXPECT_EQ(Columns(F::kSum, {price}), "numeric2,int8");
  EXPECT_EQ(Columns(F::kAvg, {float4}), "float8,int8,bytea");
  EXPECT_EQ(Columns(F::kMin, {text}), "text");
  EXPECT_EQ(Columns(F::kMax, {price}), "numeric2");
  EXPECT_EQ(Columns(F::kBoolAnd, {boolean}), "int8,int8");
  EXPECT_EQ(Columns(F::kVarSamp, {float4}), "int8,float8,float8,bytea");
  EXPECT_EQ(Columns(F::kStddevPop, {price}), "int8,numeric2,bytea");
}

TEST(PartialColumnsTest, SumsAreAsWideAsNumbersGo) {
  const auto columns = PartialColumns({F::kSum, {0}, false, {}, {}}, {SqlType::Numeric(5, 3)});
  EXPECT_EQ(columns[0].precision, kMaxNumericPrecision);
}

TEST(PartialColumnsTest, WhatNeedsAllRowsOfAGroupIsRefused) {
  EXPECT_FALSE(SupportsPartial({F::kCount, {0}, /*distinct=*/true, {}, {}}));
  EXPECT_FALSE(SupportsPartial({F::kStringAgg, {0, 1}, false, {}, {}}));
  EXPECT_FALSE(SupportsPartial({F::kSingleValue, {0}, false, {}, {}}));
  EXPECT_TRUE(SupportsPartial({F::kMin, {0}, false, {}, {}}));
}

TEST(PartialColumnsTest, MinAndMaxCannotForget) {
  EXPECT_FALSE(SupportsPartialChanges({F::kMax, {0}, false, {}, {}}));
  EXPECT_TRUE(SupportsPartialChanges({F::kAvg, {0}, false, {}, {}}));
}

}  // namespace
}  // namespace millrace
