#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// GROUP BY, HAVING and aggregates.

namespace millrace {
namespace {

TEST(BinderAggregateTest, AggregatesWithoutGroups) {
  EXPECT_EQ(PlanOf("SELECT count(*), sum(a), avg(c) FROM t"),
            R"(Project count, sum, avg
  Aggregate count(*), sum(a), avg(c)
    Project a, c
      Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, GroupsFiltersAndOrders) {
  EXPECT_EQ(PlanOf("SELECT b, count(*) AS n, sum(a) FILTER (WHERE a > 2) FROM t GROUP BY b "
                   "HAVING count(*) > 1 ORDER BY n DESC, sum(a)"),
            R"(Project b, n, sum
  Sort n DESC, order2
    Project b, count AS n, sum, sum AS order2
      Filter count > 1
        Aggregate count(*), sum(a) FILTER (expr2), sum(a) by b
          Project b, a, a > 2 AS expr2
            Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, GroupsByExpression) {
  EXPECT_EQ(PlanOf("SELECT (a + 1) * 2 FROM t GROUP BY a + 1"),
            R"(Project expr0 * 2 AS ?column?
  Distinct by expr0
    Project a + 1 AS expr0
      Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, GroupsByOutputName) {
  EXPECT_EQ(PlanOf("SELECT a % 2 AS g, max(b) FROM t GROUP BY g"),
            R"(Project expr0 AS g, max
  Aggregate max(b) by expr0
    Project a % 2 AS expr0, b
      Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, GroupsByOrdinal) {
  EXPECT_EQ(PlanOf("SELECT a % 2, max(b) FROM t GROUP BY 1 ORDER BY 2"),
            R"(Sort max
  Project expr0 AS ?column?, max
    Aggregate max(b) by expr0
      Project a % 2 AS expr0, b
        Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, InputColumnBeatsOutputNameInGroupBy) {
  EXPECT_EQ(PlanOf("SELECT max(a) AS b FROM t GROUP BY b"),
            R"(Project max AS b
  Aggregate max(a) by b
    Project b, a
      Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, GroupsByRowOfColumns) {
  EXPECT_EQ(PlanOf("SELECT a, b FROM t GROUP BY (a, b)"),
            R"(Project a, b
  Distinct by a, b
    Project a, b
      Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, SharesEqualAggregates) {
  EXPECT_EQ(PlanOf("SELECT sum(a), sum(a) + 1, count(DISTINCT b) FROM t"),
            R"(Project sum, sum + 1 AS ?column?, count
  Aggregate sum(a), count(DISTINCT b)
    Project a, b
      Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, HavingAloneMakesOneGroup) {
  EXPECT_EQ(PlanOf("SELECT 1 FROM t HAVING count(*) > 2"),
            R"(Project 1 AS ?column?
  Filter count > 2
    Aggregate count(*)
      Project no columns
        Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, GroupsByPrimaryKey) {
  EXPECT_EQ(PlanOf("SELECT id, customer, sum(amount) FROM orders GROUP BY id"),
            R"(Project id, customer, sum
  Aggregate sum(amount) by id, customer
    Project id, customer, amount
      Scan orders [id, customer, amount, placed]
)");
}

TEST(BinderAggregateTest, AggregatesInOrderByOnly) {
  EXPECT_EQ(PlanOf("SELECT b FROM t GROUP BY b ORDER BY max(a)"),
            R"(Project b
  Sort order1
    Project b, max AS order1
      Aggregate max(a) by b
        Project b, a
          Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, ComputesArgumentsBelow) {
  EXPECT_EQ(PlanOf("SELECT sum(a * 2), min(upper(b)) FROM t"),
            R"(Project sum, min
  Aggregate sum(expr0), min(expr1)
    Project a * 2 AS expr0, upper(b) AS expr1
      Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, IgnoresDistinctOfMinAndMax) {
  EXPECT_EQ(PlanOf("SELECT max(DISTINCT a) FROM t"),
            R"(Project max
  Aggregate max(a)
    Project a
      Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, IgnoresOrderThatDoesNotMatter) {
  EXPECT_EQ(PlanOf("SELECT sum(a ORDER BY b), string_agg(b, ',' ORDER BY b) FROM t"),
            R"(Project sum, string_agg
  Aggregate sum(a), string_agg(b, expr2)
    Project a, b, ',' AS expr2
      Scan t [a, b, c, ts]
)");
}

TEST(BinderAggregateTest, TakesConditionOfSubqueryInHaving) {
  EXPECT_EQ(PlanOf("SELECT b FROM t GROUP BY b HAVING sum(a) > (SELECT max(a) FROM u)"),
            R"(Project b
  Filter sum > max
    InnerJoin
      Aggregate sum(a) by b
        Project b, a
          Scan t [a, b, c, ts]
      Project max
        Aggregate max(a)
          Project a
            Scan u [a, d, e]
)");
}

TEST(BinderAggregateTest, JoinsInOfHaving) {
  EXPECT_EQ(PlanOf("SELECT b FROM t GROUP BY b HAVING sum(a) IN (SELECT a FROM u)"),
            R"(Project b
  SemiJoin on sum = a
    Aggregate sum(a) by b
      Project b, a
        Scan t [a, b, c, ts]
    Project a
      Scan u [a, d, e]
)");
}

TEST(BinderAggregateTest, PutsSubqueryOfArgumentBelow) {
  EXPECT_EQ(PlanOf("SELECT sum(a * (SELECT max(e) FROM u)) FROM t"),
            R"(Project sum
  Aggregate sum(expr0)
    Project a::double precision * max AS expr0
      InnerJoin
        Scan t [a, b, c, ts]
        Project max
          Aggregate max(e)
            Project e
              Scan u [a, d, e]
)");
}

TEST(BinderAggregateTest, CountsWindows) {
  EXPECT_EQ(PlanOf("SELECT window_start, url, count(*) FROM tumble(clicks, ts, INTERVAL '1 "
                   "minute') GROUP BY window_start, url"),
            R"(Project window_start, url, count
  Aggregate count(*) by window_start, url
    Project window_start, url
      Tumble ts size 60000000 us
        Scan clicks [user_id, url, price, ts]
)");
}

}  // namespace
}  // namespace millrace
