#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// The plans of INSERT, COPY, CREATE … AS.

namespace millrace {
namespace {

TEST(BinderWriteTest, InsertsValuesAndDefaults) {
  EXPECT_EQ(PlanOf("INSERT INTO t (b, a) VALUES ('x', 1), (DEFAULT, '2')"),
            R"(Values [a, b, c, ts] (1, 'x', NULL, NULL), (2, NULL, NULL, NULL)
)");
}

TEST(BinderWriteTest, InsertsFirstColumns) {
  EXPECT_EQ(PlanOf("INSERT INTO t VALUES (1)"),
            R"(Values [a, b, c, ts] (1, NULL, NULL, NULL)
)");
}

TEST(BinderWriteTest, InsertsQueryWithAssignmentCasts) {
  EXPECT_EQ(PlanOf("INSERT INTO t SELECT a, d, e FROM u"),
            R"(Project a, d AS b, e AS c, NULL AS ts
  Project a::integer AS a, d, e::numeric(10,2) AS e
    Project a, d, e
      Scan u [a, d, e]
)");
}

TEST(BinderWriteTest, InsertsLiteralsOfQuery) {
  EXPECT_EQ(PlanOf("INSERT INTO t (a, ts) SELECT a, '2024-01-01' FROM u ORDER BY e LIMIT 3"),
            R"(Project a, NULL AS b, NULL AS c, ?column? AS ts
  Project a::integer AS a, ?column?
    Project a, ?column?
      Limit 3
        Sort order1
          Project a, timestamp '2024-01-01 00:00:00' AS ?column?, e AS order1
            Scan u [a, d, e]
)");
}

TEST(BinderWriteTest, InsertsWithQuery) {
  EXPECT_EQ(PlanOf("INSERT INTO u WITH w AS (SELECT 1 AS k) SELECT k FROM w"),
            R"(Project k AS a, NULL AS d, NULL AS e
  Project k::bigint AS k
    Project k
      Project 1 AS k
        Values 1 empty rows
)");
}

TEST(BinderWriteTest, InsertsSubqueryInValues) {
  EXPECT_EQ(PlanOf("INSERT INTO t (a) VALUES (1), ((SELECT max(a) FROM u))"),
            R"(Project a, NULL AS b, NULL AS c, NULL AS ts
  UnionAll
    Values [a] (1)
    Project max::integer AS a
      InnerJoin
        Values 1 empty rows
        Project max
          Aggregate max(a)
            Project a
              Scan u [a, d, e]
)");
}

TEST(BinderWriteTest, InsertsIntoFilesAsTheyAre) {
  EXPECT_EQ(PlanOf("INSERT INTO out SELECT a, 'x' AS l FROM t"),
            R"(Project a, 'x' AS l
  Scan t [a, b, c, ts]
)");
}

TEST(BinderWriteTest, CopiesTable) {
  EXPECT_EQ(PlanOf("COPY t TO 'x.parquet'"),
            R"(Scan t [a, b, c, ts]
)");
}

TEST(BinderWriteTest, CopiesColumns) {
  EXPECT_EQ(PlanOf("COPY t (b, a) TO 'x.parquet'"),
            R"(Project b, a
  Scan t [a, b, c, ts]
)");
}

TEST(BinderWriteTest, CopiesQuery) {
  EXPECT_EQ(PlanOf("COPY (SELECT x FROM 'x.csv') TO 'o' (FORMAT csv, HEADER)"),
            R"(Project x
  Scan x.csv [x]
)");
}

TEST(BinderWriteTest, CopiesFromFile) {
  EXPECT_EQ(PlanOf("COPY t (b, a) FROM 'x.csv' (FORMAT csv, HEADER)"),
            R"(Project a, b, NULL AS c, NULL AS ts
  Scan x.csv [b, a]
)");
}

TEST(BinderWriteTest, CreatesTableAs) {
  EXPECT_EQ(PlanOf("CREATE TABLE q (k) AS SELECT 'x', a FROM t"),
            R"(Project 'x' AS k, a
  Scan t [a, b, c, ts]
)");
}

TEST(BinderWriteTest, CreatesView) {
  EXPECT_EQ(PlanOf("CREATE VIEW w (a1) AS SELECT a, b FROM t"),
            R"(Project a AS a1, b
  Scan t [a, b, c, ts]
)");
}

TEST(BinderWriteTest, CreatesMaterializedView) {
  EXPECT_EQ(PlanOf("CREATE MATERIALIZED VIEW m AS SELECT url, count(*) AS n FROM clicks GROUP BY "
                   "url EMIT ON WINDOW CLOSE"),
            R"(Project url, count AS n
  Aggregate count(*) by url
    Project url
      Scan clicks [user_id, url, price, ts]
)");
}

}  // namespace
}  // namespace millrace
