#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// Rows as values, correlated values, sets, series: what becomes other expressions and plans.

namespace millrace {
namespace {

TEST(BinderRowsTest, ComparesRowsInOrder) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE (a, b) < (1, 'x')"),
            R"(Project a
  Filter (a < 1) OR ((a = 1) AND (b < 'x'))
    Scan t [a, b, c, ts]
)");
}

TEST(BinderRowsTest, FindsRowsInList) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE (a, b) IN ((1, 'x'), (2, 'y'))"),
            R"(Project a
  Filter ((a = 1) AND (b = 'x')) OR ((a = 2) AND (b = 'y'))
    Scan t [a, b, c, ts]
)");
}

TEST(BinderRowsTest, CountsRowsOfCorrelatedValue) {
  EXPECT_EQ(PlanOf("SELECT (SELECT d FROM u WHERE u.a = t.a) FROM t"),
            R"(Project require_single_row(d, count) AS d
  LeftJoin on outer_key = a::bigint
    Scan t [a, b, c, ts]
    Project min AS d, count, outer_key
      Aggregate min(d), count(*) by outer_key
        Project d, outer_key
          Project d, a AS outer_key
            Scan u [a, d, e]
)");
}

TEST(BinderRowsTest, KeepsFirstRowsOfDistinctOn) {
  EXPECT_EQ(PlanOf("SELECT DISTINCT ON (b) b, a FROM t ORDER BY b, a DESC"),
            R"(Project b, a
  Sort b, a DESC
    Filter row_number = 1
      Over row_number() partition b order b, a DESC
        Project b, a
          Scan t [a, b, c, ts]
)");
}

TEST(BinderRowsTest, ChecksNotNullOfQueries) {
  const std::string plan = PlanOf("INSERT INTO orders (id, customer) SELECT 1, a FROM u");
  EXPECT_NE(plan.find("require_not_null(customer, 'customer', 'orders') AS customer"),
            std::string::npos)
      << plan;
  EXPECT_EQ(plan.find("require_not_null(amount"), std::string::npos) << plan;
}

}  // namespace
}  // namespace millrace
