#include "coordinator/planner/rules/date_comparison.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

constexpr int64_t kDay = int64_t{86400} * 1000000;

class DateComparisonTest : public ::testing::Test {
 protected:
  ExprPtr Date() {
    return BuildCast(MakeColumn(0, SqlType::Of(TypeId::kDate)), Time(), CastContext::kExplicit, 0)
        .value();
  }
  ExprPtr At(int64_t micros) { return MakeLiteral(Value{Time(), micros}); }
  std::string Simplified(const ExprPtr& expr) {
    return ExprToString(*SimplifyDateComparison(expr), {{"d", SqlType::Of(TypeId::kDate)}});
  }
};

TEST_F(DateComparisonTest, MidnightsAreDays) {
  EXPECT_EQ(Simplified(Op("<", Date(), At(2 * kDay))), "d < date '1970-01-03'");
  EXPECT_EQ(Simplified(Op(">=", Date(), At(2 * kDay))), "d >= date '1970-01-03'");
  EXPECT_EQ(Simplified(Eq(Date(), At(2 * kDay))), "d = date '1970-01-03'");
  EXPECT_EQ(Simplified(Op("<>", Date(), At(-2 * kDay))), "d <> date '1969-12-30'");
}

TEST_F(DateComparisonTest, WithinADayOnlyLaterDaysAreAfter) {
  EXPECT_EQ(Simplified(Op("<", Date(), At(2 * kDay + 1))), "d <= date '1970-01-03'");
  EXPECT_EQ(Simplified(Op("<=", Date(), At(2 * kDay + 1))), "d <= date '1970-01-03'");
  EXPECT_EQ(Simplified(Op(">", Date(), At(2 * kDay + 1))), "d > date '1970-01-03'");
  EXPECT_EQ(Simplified(Op(">=", Date(), At(2 * kDay + 1))), "d > date '1970-01-03'");
  EXPECT_EQ(Simplified(Op(">=", Date(), At(-1))), "d > date '1969-12-31'");
}

TEST_F(DateComparisonTest, SidesMayBeExchanged) {
  EXPECT_EQ(Simplified(Op(">", At(2 * kDay), Date())), "d < date '1970-01-03'");
}

TEST_F(DateComparisonTest, OtherComparisonsStay) {
  const ExprPtr within = Eq(Date(), At(1));
  EXPECT_EQ(SimplifyDateComparison(within), within);
  const ExprPtr columns = Op("<", Date(), MakeColumn(1, Time()));
  EXPECT_EQ(SimplifyDateComparison(columns), columns);
  const ExprPtr null = Op("<", Date(), Null(Time()));
  EXPECT_EQ(SimplifyDateComparison(null), null);
}

}  // namespace
}  // namespace millrace
