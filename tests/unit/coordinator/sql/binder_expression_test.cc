#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// The forms of expressions that the grammar spells out.

namespace millrace {
namespace {

TEST(BinderExpressionTest, Between) {
  EXPECT_EQ(PlanOf("SELECT a BETWEEN 1 AND 3, a NOT BETWEEN 1 AND 3 FROM t"),
            R"(Project (a >= 1) AND (a <= 3) AS ?column?, (a < 1) OR (a > 3) AS ?column?
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, BetweenSymmetric) {
  EXPECT_EQ(
      PlanOf("SELECT a BETWEEN SYMMETRIC 3 AND 1, a NOT BETWEEN SYMMETRIC 3 AND 1 FROM t"),
      R"(Project ((a >= 3) AND (a <= 1)) OR ((a >= 1) AND (a <= 3)) AS ?column?, ((a < 3) OR (a > 1)) AND ((a < 1) OR (a > 3)) AS ?column?
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, InLists) {
  EXPECT_EQ(PlanOf("SELECT a IN (1, 2, 3), b NOT IN ('x', NULL) FROM t"),
            R"(Project a IN (1, 2, 3) AS ?column?, NOT (b IN ('x', NULL)) AS ?column?
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, Likes) {
  EXPECT_EQ(PlanOf("SELECT b LIKE 'a%', b NOT ILIKE '_b', b LIKE 'a!%!!b\\\\' ESCAPE '!' FROM t"),
            R"(Project b ~~ 'a%' AS ?column?, b !~~* '_b' AS ?column?, b ~~ 'a\%\!b\\\\' AS ?column?
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, Cases) {
  EXPECT_EQ(
      PlanOf("SELECT CASE WHEN a > 1 THEN 'x' ELSE b END, CASE a WHEN 1 THEN 2 END FROM t"),
      R"(Project CASE WHEN a > 1 THEN 'x' ELSE b END AS b, CASE WHEN a = 1 THEN 2 ELSE NULL END AS case
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, NullTests) {
  EXPECT_EQ(
      PlanOf("SELECT a IS NULL, b IS NOT NULL, a IS DISTINCT FROM 1, a IS NOT DISTINCT "
             "FROM NULL FROM t"),
      R"(Project a IS NULL AS ?column?, b IS NOT NULL AS ?column?, a IS DISTINCT FROM 1 AS ?column?, a IS NOT DISTINCT FROM NULL AS ?column?
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, TruthTests) {
  EXPECT_EQ(
      PlanOf("SELECT (a > 1) IS TRUE, (a > 1) IS NOT FALSE, (a > 1) IS UNKNOWN FROM t"),
      R"(Project (a > 1) IS TRUE AS ?column?, (a > 1) IS NOT FALSE AS ?column?, (a > 1) IS NULL AS ?column?
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, NullForms) {
  EXPECT_EQ(
      PlanOf("SELECT COALESCE(a, 0), NULLIF(a, 1), GREATEST(a, 2), LEAST(c, 1) FROM t"),
      R"(Project coalesce(a, 0) AS coalesce, nullif(a, a = 1) AS nullif, greatest(a, 2) AS greatest, least(c::numeric, 1.00) AS least
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, TextForms) {
  EXPECT_EQ(
      PlanOf("SELECT SUBSTRING(b FROM 1 FOR 2), POSITION('x' IN b), TRIM(BOTH 'x' FROM b), "
             "OVERLAY(b PLACING 'y' FROM 1) FROM t"),
      R"(Project substring(b, 1, 2) AS substring, position(b, 'x') AS position, btrim(b, 'x') AS btrim, overlay(b, 'y', 1) AS overlay
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, TimeForms) {
  EXPECT_EQ(PlanOf("SELECT EXTRACT(year FROM ts), ts AT TIME ZONE 'UTC' FROM t"),
            R"(Project extract('year', ts) AS extract, timezone('UTC', ts) AS timezone
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, Casts) {
  EXPECT_EQ(PlanOf("SELECT a::text, CAST(b AS integer), c::numeric(5,1), 'x'::varchar(3) FROM t"),
            R"(Project a::text AS a, b::integer AS b, c::numeric(5,1) AS c, 'x' AS varchar
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, TypedLiterals) {
  EXPECT_EQ(
      PlanOf("SELECT DATE '2024-02-29', TIMESTAMP '2024-01-01 10:00', INTERVAL '5 s', TIME "
             "'10:00'"),
      R"(Project date '2024-02-29' AS date, timestamp '2024-01-01 10:00:00' AS timestamp, interval '00:00:05' AS interval, time '10:00:00' AS time
  Values 1 empty rows
)");
}

TEST(BinderExpressionTest, IntervalsWithFields) {
  EXPECT_EQ(
      PlanOf("SELECT INTERVAL '1' DAY, INTERVAL '90' MINUTE, INTERVAL '1-2' YEAR TO MONTH, "
             "INTERVAL '2:30' MINUTE TO SECOND, INTERVAL '1 day 5 hours' DAY"),
      R"(Project interval '1 day' AS interval, interval '01:30:00' AS interval, interval '1 year 2 mons' AS interval, interval '00:02:30' AS interval, interval '1 day' AS interval
  Values 1 empty rows
)");
}

TEST(BinderExpressionTest, Numbers) {
  EXPECT_EQ(
      PlanOf("SELECT 1, 2147483648, 1.50, 1e3, -2147483648, 9223372036854775808"),
      R"(Project 1 AS ?column?, 2147483648 AS ?column?, 1.50 AS ?column?, 1000 AS ?column?, -2147483648 AS ?column?, 9223372036854775808 AS ?column?
  Values 1 empty rows
)");
}

TEST(BinderExpressionTest, Logic) {
  EXPECT_EQ(PlanOf("SELECT NOT (a > 1 AND b = 'x' OR c < 2) FROM t"),
            R"(Project NOT (((a > 1) AND (b = 'x')) OR (c < 2)) AS ?column?
  Scan t [a, b, c, ts]
)");
}

TEST(BinderExpressionTest, CollationC) {
  EXPECT_EQ(PlanOf("SELECT b COLLATE \"C\" < 'x' FROM t"),
            R"(Project b < 'x' AS ?column?
  Scan t [a, b, c, ts]
)");
}

}  // namespace
}  // namespace millrace
