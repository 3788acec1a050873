#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// Subqueries in expressions.

namespace millrace {
namespace {

// The three truth values of IN, from the number of rows, the operand, the match and the number of
// values.
constexpr absl::string_view kMark =
    "CASE WHEN count = 0 THEN false WHEN a IS NULL THEN NULL WHEN found THEN true "
    "WHEN count < count THEN NULL ELSE false END";

TEST(BinderSubqueryTest, JoinsIn) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE a IN (SELECT a FROM u)"),
            R"(Project a
  SemiJoin on a::bigint = a
    Scan t [a, b, c, ts]
    Project a
      Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, JoinsNotInNullAware) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE a NOT IN (SELECT a FROM u) AND b LIKE 'x%'"),
            R"(Project a
  NullAwareAntiJoin on a::bigint = a
    Filter b ~~ 'x%'
      Scan t [a, b, c, ts]
    Project a
      Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, TakesNotOfInForNotIn) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE NOT (a IN (SELECT a FROM u))"),
            R"(Project a
  NullAwareAntiJoin on a::bigint = a
    Scan t [a, b, c, ts]
    Project a
      Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, TakesAnyEqualForIn) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE a = ANY (SELECT a FROM u)"),
            R"(Project a
  SemiJoin on a::bigint = a
    Scan t [a, b, c, ts]
    Project a
      Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, TakesAllUnequalForNotIn) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE a <> ALL (SELECT a FROM u)"),
            R"(Project a
  NullAwareAntiJoin on a::bigint = a
    Scan t [a, b, c, ts]
    Project a
      Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, JoinsInOfRows) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE (a, b) IN (SELECT a, d FROM u)"),
            R"(Project a
  SemiJoin on (a::bigint = a) AND (b = d)
    Scan t [a, b, c, ts]
    Project a, d
      Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, MarksInElsewhere) {
  EXPECT_EQ(PlanOf("SELECT a, a IN (SELECT a FROM u) AS m FROM t"),
            absl::StrCat("Project a, ", kMark, R"( AS m
  InnerJoin
    LeftJoin on a::bigint = value
      Scan t [a, b, c, ts]
      Project a AS value, true AS found
        Distinct by a
          Project a
            Scan u [a, d, e]
    Aggregate count(*), count(a)
      Project a
        Scan u [a, d, e]
)"));
}

TEST(BinderSubqueryTest, MarksInBelowOr) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE a > 5 OR a IN (SELECT a FROM u)"),
            absl::StrCat("Project a\n  Filter (a > 5) OR (", kMark, R"()
    InnerJoin
      LeftJoin on a::bigint = value
        Scan t [a, b, c, ts]
        Project a AS value, true AS found
          Distinct by a
            Project a
              Scan u [a, d, e]
      Aggregate count(*), count(a)
        Project a
          Scan u [a, d, e]
)"));
}

TEST(BinderSubqueryTest, JoinsScalars) {
  EXPECT_EQ(PlanOf("SELECT a, (SELECT max(a) FROM u) FROM t"),
            R"(Project a, max
  InnerJoin
    Scan t [a, b, c, ts]
    Project max
      Aggregate max(a)
        Project a
          Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, ChecksScalarsForOneRow) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE a = (SELECT a FROM u)"),
            R"(Project a
  Filter a::bigint = single_value
    InnerJoin
      Scan t [a, b, c, ts]
      Aggregate single_value(a)
        Project a
          Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, CountsForExists) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u)"),
            R"(Project a
  Filter NOT (count > 0)
    InnerJoin
      Scan t [a, b, c, ts]
      Aggregate count(*)
        Project 1 AS ?column?
          Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, JoinsCorrelatedExists) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.e <> "
                   "t.c)"),
            R"(Project a
  SemiJoin on (outer_key = a::bigint) AND (outer_key <> c::double precision)
    Scan t [a, b, c, ts]
    Project 1 AS ?column?, a AS outer_key, e AS outer_key
      Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, JoinsCorrelatedNotExists) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND d = "
                   "'x')"),
            R"(Project a
  AntiJoin on outer_key = a::bigint
    Scan t [a, b, c, ts]
    Project 1 AS ?column?, a AS outer_key
      Filter d = 'x'
        Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, JoinsCorrelatedIn) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE a IN (SELECT a FROM u WHERE u.d = t.b)"),
            R"(Project a
  SemiJoin on (a::bigint = a) AND (outer_key = b)
    Scan t [a, b, c, ts]
    Project a, d AS outer_key
      Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, JoinsCorrelatedAggregate) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE c > (SELECT 0.2 * avg(e) FROM u WHERE u.a = t.a)"),
            R"(Project a
  Filter c::double precision > ?column?
    LeftJoin on outer_key = a::bigint
      Scan t [a, b, c, ts]
      Project float8 '0.2' * avg AS ?column?, a AS outer_key
        Aggregate avg(e) by a
          Project a, e
            Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, GivesZeroForCorrelatedCountWithoutRows) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE 0 = (SELECT count(*) FROM u WHERE u.a = t.a)"),
            R"(Project a
  Filter 0 = (CASE WHEN found IS NULL THEN 0 ELSE count END)
    LeftJoin on outer_key = a::bigint
      Scan t [a, b, c, ts]
      Project count, outer_key, true AS found
        Project count, a AS outer_key
          Aggregate count(*) by a
            Project a
              Scan u [a, d, e]
)");
}

TEST(BinderSubqueryTest, NestsCorrelations) {
  EXPECT_EQ(PlanOf("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND EXISTS "
                   "(SELECT 1 FROM orders WHERE id = u.a))"),
            R"(Project a
  SemiJoin on outer_key = a::bigint
    Scan t [a, b, c, ts]
    Project 1 AS ?column?, a AS outer_key
      SemiJoin on outer_key = a
        Scan u [a, d, e]
        Project 1 AS ?column?, id AS outer_key
          Scan orders [id, customer, amount, placed]
)");
}

TEST(BinderSubqueryTest, SubqueriesInValues) {
  EXPECT_EQ(PlanOf("VALUES ((SELECT max(a) FROM t), 'x')"),
            R"(Project max AS column1, 'x' AS column2
  InnerJoin
    Values 1 empty rows
    Project max
      Aggregate max(a)
        Project a
          Scan t [a, b, c, ts]
)");
}

}  // namespace
}  // namespace millrace
