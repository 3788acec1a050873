#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// OVER, frames, and the window functions of FROM.

namespace millrace {
namespace {

TEST(BinderWindowTest, NumbersRows) {
  EXPECT_EQ(PlanOf("SELECT row_number() OVER (PARTITION BY b ORDER BY a DESC) FROM t"),
            R"(Project row_number
  Over row_number() partition b order a DESC
    Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, StacksDifferentWindows) {
  EXPECT_EQ(PlanOf("SELECT sum(a) OVER (ORDER BY ts ROWS 9 PRECEDING), avg(c) OVER w, rank() "
                   "OVER w FROM t WINDOW w AS (PARTITION BY b ORDER BY c)"),
            R"(Project sum, avg, rank
  Over avg(c), rank() partition b order c
    Over sum(a) ROWS 9 PRECEDING..CURRENT ROW order ts
      Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, BuildsOnNamedWindow) {
  EXPECT_EQ(PlanOf("SELECT sum(a) OVER (w ORDER BY a), count(*) OVER (w ROWS UNBOUNDED "
                   "PRECEDING) FROM t WINDOW w AS (PARTITION BY b)"),
            R"(Project sum, count
  Over count(*) ROWS UNBOUNDED PRECEDING..CURRENT ROW partition b
    Over sum(a) partition b order a
      Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, WindowsOverAggregates) {
  EXPECT_EQ(PlanOf("SELECT b, sum(count(*)) OVER (ORDER BY b) FROM t GROUP BY b"),
            R"(Project b, sum
  Over sum(count) order b
    Aggregate count(*) by b
      Project b
        Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, RangesOfTime) {
  EXPECT_EQ(PlanOf("SELECT sum(a) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '1 hour' PRECEDING "
                   "AND CURRENT ROW) FROM t"),
            R"(Project sum
  Over sum(a) RANGE interval '01:00:00' PRECEDING..CURRENT ROW order ts
    Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, CountsGroups) {
  EXPECT_EQ(PlanOf("SELECT sum(a) OVER (ORDER BY a GROUPS BETWEEN 1 PRECEDING AND 2 FOLLOWING) "
                   "FROM t"),
            R"(Project sum
  Over sum(a) GROUPS 1 PRECEDING..2 FOLLOWING order a
    Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, ProjectsArgumentsAndKeys) {
  EXPECT_EQ(PlanOf("SELECT lag(a + 1, 2, 0) OVER (PARTITION BY upper(b) ORDER BY -a) FROM t"),
            R"(Project lag
  Over lag(expr4, expr5, expr6) partition expr7 order expr8
    Project a, b, c, ts, a + 1 AS expr4, 2 AS expr5, 0 AS expr6, upper(b) AS expr7, -a AS expr8
      Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, FiltersWindowAggregate) {
  EXPECT_EQ(PlanOf("SELECT count(*) FILTER (WHERE a > 1) OVER () FROM t"),
            R"(Project count
  Over count(*) FILTER (expr4)
    Project a, b, c, ts, a > 1 AS expr4
      Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, OrdersByWindow) {
  EXPECT_EQ(PlanOf("SELECT a FROM t ORDER BY rank() OVER (ORDER BY c)"),
            R"(Project a
  Sort order1
    Project a, rank AS order1
      Over rank() order c
        Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, SharesEqualCalls) {
  EXPECT_EQ(PlanOf("SELECT rank() OVER w, rank() OVER w + 1 FROM t WINDOW w AS (ORDER BY a)"),
            R"(Project rank, rank + 1 AS ?column?
  Over rank() order a
    Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, TopOfGroups) {
  EXPECT_EQ(PlanOf("SELECT a FROM (SELECT a, row_number() OVER (PARTITION BY b ORDER BY c) AS n "
                   "FROM t) s WHERE n <= 10"),
            R"(Project a
  Filter n <= 10
    Project a, row_number AS n
      Over row_number() partition b order c
        Scan t [a, b, c, ts]
)");
}

TEST(BinderWindowTest, Tumbles) {
  EXPECT_EQ(PlanOf("SELECT url, window_end FROM tumble(clicks, ts, INTERVAL '1 minute', INTERVAL "
                   "'10 s')"),
            R"(Project url, window_end
  Tumble ts size 60000000 us offset 10000000 us
    Scan clicks [user_id, url, price, ts]
)");
}

TEST(BinderWindowTest, TumblesInFlinkSpelling) {
  EXPECT_EQ(PlanOf("SELECT w.url FROM TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE) "
                   "w"),
            R"(Project url
  Tumble ts size 60000000 us
    Scan clicks [user_id, url, price, ts]
)");
}

TEST(BinderWindowTest, TumblesByArgumentNames) {
  EXPECT_EQ(PlanOf("SELECT url FROM tumble(data => TABLE clicks, timecol => DESCRIPTOR(ts), size "
                   "=> INTERVAL '1' HOUR)"),
            R"(Project url
  Tumble ts size 3600000000 us
    Scan clicks [user_id, url, price, ts]
)");
}

TEST(BinderWindowTest, HopsOverQuery) {
  EXPECT_EQ(PlanOf("SELECT url FROM hop((SELECT url, ts FROM clicks), ts, INTERVAL '1' MINUTE, "
                   "INTERVAL '5' MINUTE)"),
            R"(Project url
  Hop ts size 300000000 us slide 60000000 us
    Project url, ts
      Scan clicks [user_id, url, price, ts]
)");
}

TEST(BinderWindowTest, CumulatesOverWith) {
  EXPECT_EQ(PlanOf("WITH c AS (SELECT * FROM clicks) SELECT c.url FROM cumulate(c, ts, INTERVAL "
                   "'1' HOUR, INTERVAL '1' DAY)"),
            R"(Project url
  Cumulate ts size 86400000000 us slide 3600000000 us
    Project user_id, url, price, ts
      Scan clicks [user_id, url, price, ts]
)");
}

TEST(BinderWindowTest, WindowsOverFile) {
  EXPECT_EQ(PlanOf("SELECT 1 FROM t JOIN tumble(per_minute, window_start, INTERVAL '1 h') p ON "
                   "p.clicks = t.a"),
            R"(Project 1 AS ?column?
  InnerJoin on clicks = a::bigint
    Scan t [a, b, c, ts]
    Tumble window_start size 3600000000 us
      Scan per_minute [window_start, url, clicks]
)");
}

}  // namespace
}  // namespace millrace
