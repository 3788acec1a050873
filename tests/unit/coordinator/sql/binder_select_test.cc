#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// SELECT lists, FROM, joins, ORDER BY, set operations.

namespace millrace {
namespace {

TEST(BinderSelectTest, OrdersByOutputNameAndLimits) {
  EXPECT_EQ(PlanOf("SELECT a, b AS x FROM t WHERE a > 1 ORDER BY b DESC LIMIT 3"),
            R"(Limit 3
  Sort x DESC
    Project a, b AS x
      Filter a > 1
        Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, SortsByHiddenColumnAndDropsIt) {
  EXPECT_EQ(PlanOf("SELECT a FROM t ORDER BY upper(b), 1 DESC NULLS LAST LIMIT 2 OFFSET 1"),
            R"(Project a
  Limit 2 offset 1
    Sort order1, a DESC NULLS LAST
      Project a, upper(b) AS order1
        Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, LimitAllIsNoLimit) {
  EXPECT_EQ(PlanOf("SELECT a FROM t LIMIT ALL OFFSET NULL"),
            R"(Project a
  Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, SelectsWithoutFrom) {
  EXPECT_EQ(PlanOf("SELECT 1 + 2 AS three"),
            R"(Project 1 + 2 AS three
  Values 1 empty rows
)");
}

TEST(BinderSelectTest, OutputNameBeatsColumnInOrderBy) {
  EXPECT_EQ(PlanOf("SELECT -a AS b FROM t ORDER BY b"),
            R"(Sort b
  Project -a AS b
    Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, JoinsOnConditionWithCasts) {
  EXPECT_EQ(PlanOf("SELECT t.b, u.e FROM t JOIN u ON t.a = u.a AND u.d <> t.b"),
            R"(Project b, e
  InnerJoin on (a::bigint = a) AND (d <> b)
    Scan t [a, b, c, ts]
    Scan u [a, d, e]
)");
}

TEST(BinderSelectTest, JoinsByCommaAsCross) {
  EXPECT_EQ(PlanOf("SELECT t.a FROM t, u, orders"),
            R"(Project a
  InnerJoin
    InnerJoin
      Scan t [a, b, c, ts]
      Scan u [a, d, e]
    Scan orders [id, customer, amount, placed]
)");
}

TEST(BinderSelectTest, MergesColumnsOfUsing) {
  EXPECT_EQ(PlanOf("SELECT * FROM t JOIN u USING (a)"),
            R"(Project a, b, c, ts, d, e
  InnerJoin on a::bigint = a
    Scan t [a, b, c, ts]
    Scan u [a, d, e]
)");
}

TEST(BinderSelectTest, CoalescesColumnOfFullJoinUsing) {
  EXPECT_EQ(PlanOf("SELECT a, t.a, u.a FROM t FULL JOIN u USING (a)"),
            R"(Project coalesce(a::bigint, a) AS a, a, a
  FullJoin on a::bigint = a
    Scan t [a, b, c, ts]
    Scan u [a, d, e]
)");
}

TEST(BinderSelectTest, TakesRightColumnOfRightJoinUsing) {
  EXPECT_EQ(PlanOf("SELECT a FROM u RIGHT JOIN t USING (a)"),
            R"(Project a::bigint AS a
  RightJoin on a = a::bigint
    Scan u [a, d, e]
    Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, JoinsNaturally) {
  EXPECT_EQ(PlanOf("SELECT * FROM t NATURAL LEFT JOIN u"),
            R"(Project a::bigint AS a, b, c, ts, d, e
  LeftJoin on a::bigint = a
    Scan t [a, b, c, ts]
    Scan u [a, d, e]
)");
}

TEST(BinderSelectTest, JoinsNaturallyWithoutCommonNames) {
  EXPECT_EQ(PlanOf("SELECT 1 FROM orders NATURAL JOIN u"),
            R"(Project 1 AS ?column?
  InnerJoin
    Scan orders [id, customer, amount, placed]
    Scan u [a, d, e]
)");
}

TEST(BinderSelectTest, NamesAJoin) {
  EXPECT_EQ(PlanOf("SELECT j.d FROM (t JOIN u USING (a)) AS j"),
            R"(Project d
  InnerJoin on a::bigint = a
    Scan t [a, b, c, ts]
    Scan u [a, d, e]
)");
}

TEST(BinderSelectTest, NamesMergedColumnsOfUsing) {
  EXPECT_EQ(PlanOf("SELECT j.a FROM t JOIN u USING (a) AS j"),
            R"(Project a
  InnerJoin on a::bigint = a
    Scan t [a, b, c, ts]
    Scan u [a, d, e]
)");
}

TEST(BinderSelectTest, JoinsChains) {
  EXPECT_EQ(PlanOf("SELECT x.a FROM t x LEFT JOIN u y ON x.a = y.a CROSS JOIN orders"),
            R"(Project a
  InnerJoin
    LeftJoin on a::bigint = a
      Scan t [a, b, c, ts]
      Scan u [a, d, e]
    Scan orders [id, customer, amount, placed]
)");
}

TEST(BinderSelectTest, RenamesColumnsByAlias) {
  EXPECT_EQ(PlanOf("SELECT x.q, r FROM t AS x(q, r)"),
            R"(Project a AS q, b AS r
  Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, ReadsSubqueryInFrom) {
  EXPECT_EQ(PlanOf("SELECT s.n FROM (SELECT a AS n, 'k' AS k FROM t) s WHERE k = 'k'"),
            R"(Project n
  Filter k = 'k'
    Project a AS n, 'k' AS k
      Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, SharesWithQueries) {
  EXPECT_EQ(PlanOf("WITH w AS (SELECT a FROM t), x(y) AS (SELECT a FROM w) SELECT w.a FROM w, x "
                   "WHERE w.a = y"),
            R"(Project a
  Filter a = y
    InnerJoin
      Project a
        Scan t [a, b, c, ts]
      Project a AS y
        Project a
          Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, InnerWithHidesOuter) {
  EXPECT_EQ(PlanOf("WITH w AS (SELECT 1 AS k) SELECT * FROM (WITH w AS (SELECT 2 AS k) SELECT k "
                   "FROM w) s"),
            R"(Project k
  Project k
    Project 2 AS k
      Values 1 empty rows
)");
}

TEST(BinderSelectTest, ExpandsViews) {
  EXPECT_EQ(PlanOf("SELECT upper_b FROM v WHERE a < 9"),
            R"(Project upper_b
  Filter a < 9
    Project a, upper(b) AS upper_b
      Filter a > 0
        Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, ReadsSystemViews) {
  const std::string plan = PlanOf("SELECT j.name FROM millrace.jobs AS j");
  EXPECT_EQ(plan.substr(0, plan.find('[')), "Project name\n  Scan millrace.jobs ");
}

TEST(BinderSelectTest, UnitesAll) {
  EXPECT_EQ(PlanOf("SELECT a FROM t UNION ALL SELECT a FROM u UNION ALL SELECT 3"),
            R"(UnionAll
  Project a::bigint AS a
    Project a
      Scan t [a, b, c, ts]
  Project a
    Scan u [a, d, e]
  Project ?column?::bigint AS ?column?
    Project 3 AS ?column?
      Values 1 empty rows
)");
}

TEST(BinderSelectTest, UnitesDistinctAndOrders) {
  EXPECT_EQ(PlanOf("SELECT a FROM t UNION SELECT a FROM u ORDER BY a LIMIT 2"),
            R"(Limit 2
  Sort a
    Distinct by a
      UnionAll
        Project a::bigint AS a
          Project a
            Scan t [a, b, c, ts]
        Project a
          Scan u [a, d, e]
)");
}

TEST(BinderSelectTest, KeepsUnionAllInsideUnion) {
  EXPECT_EQ(PlanOf("(SELECT a FROM t UNION ALL SELECT a FROM t) UNION SELECT a FROM t"),
            R"(Distinct by a
  UnionAll
    Project a
      Scan t [a, b, c, ts]
    Project a
      Scan t [a, b, c, ts]
    Project a
      Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, KeepsUnionInsideUnionAll) {
  EXPECT_EQ(PlanOf("(SELECT a FROM t UNION SELECT a FROM t) UNION ALL SELECT a FROM t"),
            R"(UnionAll
  Distinct by a
    UnionAll
      Project a
        Scan t [a, b, c, ts]
      Project a
        Scan t [a, b, c, ts]
  Project a
    Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, GivesUnionLiteralsTheTypeOfTheOthers) {
  EXPECT_EQ(PlanOf("SELECT '1' UNION ALL SELECT 2 UNION ALL SELECT NULL"),
            R"(UnionAll
  Project 1 AS ?column?
    Values 1 empty rows
  Project 2 AS ?column?
    Values 1 empty rows
  Project NULL AS ?column?
    Values 1 empty rows
)");
}

TEST(BinderSelectTest, ReadsValues) {
  EXPECT_EQ(PlanOf("SELECT column2 FROM (VALUES (1, 'a'), (2, NULL)) AS v WHERE column1 = 1"),
            R"(Project column2
  Filter column1 = 1
    Values [column1, column2] (1, 'a'), (2, NULL)
)");
}

TEST(BinderSelectTest, RemovesDuplicates) {
  EXPECT_EQ(PlanOf("SELECT DISTINCT b, a % 2 FROM t ORDER BY 2"),
            R"(Sort ?column?
  Distinct by b, ?column?
    Project b, a % 2 AS ?column?
      Scan t [a, b, c, ts]
)");
}

TEST(BinderSelectTest, ReadsFiles) {
  EXPECT_EQ(PlanOf("SELECT p.x FROM 'data/x.parquet' AS p JOIN 'y.csv' ON p.x = y.x, 'z.json'"),
            R"(Project x
  InnerJoin
    InnerJoin on x = x
      Scan data/x.parquet [x]
      Scan y.csv [x]
    Scan z.json [x]
)");
}

TEST(BinderSelectTest, ReadsOldEpochs) {
  EXPECT_EQ(PlanOf("SELECT p.url FROM per_minute AS OF EPOCH 120 AS p"),
            R"(Project url
  Scan per_minute [window_start, url, clicks] epoch 120
)");
}

}  // namespace
}  // namespace millrace
