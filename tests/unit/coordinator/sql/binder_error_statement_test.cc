#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// Every refusal of a statement that is no query: its code, and the place that the caret shows.

namespace millrace {
namespace {

struct StatementErrorCase {
  const char* sql;
  // SQLSTATE and 1-based character.
  const char* place;
};

constexpr StatementErrorCase kStatementErrors[] = {
    {"SUBSCRIBE", "42601@10"},
    {"SUBSCRIBE TO", "42601@13"},
    {"SUBSCRIBE per_minute", "42601@11"},
    {"SUBSCRIBE TO nope", "42P01@14"},
    {"SUBSCRIBE TO t", "42809@14"},
    {"SUBSCRIBE TO per_minute x", "42601@25"},
    {"SUBSCRIBE TO (SELECT 1)", "42601@14"},
    {"SUBSCRIBE TO per_minute WITH snapshot", "42601@30"},
    {"SUBSCRIBE TO per_minute WITH (snapshot)", "42601@39"},
    {"SUBSCRIBE TO per_minute WITH (snapshot = true) x", "42601@48"},
    {"SUBSCRIBE TO per_minute WITH (snapshot = true, Snapshot = true)", "42601@48"},
    {"SUBSCRIBE TO per_minute WITH (snapshots = true)", "22023@31"},
    {"SUBSCRIBE TO per_minute WITH (snapshot = 'maybe')", "22023@42"},
    {"SUBSCRIBE TO per_minute WITH (epochs = 'all')", "22023@40"},
    {"VERIFY per_minute", "0A000@1"},
    {"EXPLAIN ANALYZE INSERT INTO t SELECT 1", "0A000@17"},
    {"EXPLAIN (ANALYZE)\n\tCOPY t TO 'x.csv'", "0A000@20"},
    {"FLUSH now", "42601@7"},
    {"DESCRIBE nope", "42P01@10"},
    {"CREATE TABLE t (a int)", "42P07@14"},
    {"CREATE TABLE n (a int, a text)", "42701@24"},
    {"CREATE TABLE n (a int DEFAULT b)", "0A000@31"},
    {"CREATE TABLE n (a int DEFAULT (SELECT 1))", "0A000@31"},
    {"CREATE TABLE n (a int DEFAULT DATE '2020-01-01')", "42804@31"},
    {"CREATE TABLE n (a int DEFAULT 1 DEFAULT 2)", "42601@41"},
    {"CREATE TABLE n (a int DEFAULT 1) WITH (connector = 'file', path = 'x.csv')", "0A000@14"},
    {"CREATE TABLE n (a int CHECK (a > 1))", "0A000@23"},
    {"CREATE TABLE n (a int UNIQUE)", "0A000@23"},
    {"CREATE TABLE n (a int REFERENCES t)", "0A000@23"},
    {"CREATE TABLE n (a int PRIMARY KEY, b int PRIMARY KEY)", "42P16@42"},
    {"CREATE TABLE n (a int, PRIMARY KEY (z))", "42703@24"},
    {"CREATE TABLE n (a int NULL NOT NULL)", "42601@28"},
    {"CREATE TABLE n (a serial)", "0A000@19"},
    {"CREATE TABLE n ()", "42P16@14"},
    {"CREATE TABLE n (a int) WITH (fillfactor = 10)", "42P16@30"},
    {"CREATE TABLE n (a int) WITH (connector = 'file', connector = 'x')", "42601@50"},
    {"CREATE TABLE n (a int, WATERMARK FOR z AS z) WITH (connector = 'file')", "42703@38"},
    {"CREATE TABLE n (a int, WATERMARK FOR a AS a) WITH (connector = 'file')", "42804@38"},
    {"CREATE TABLE n (ts timestamp, WATERMARK FOR ts AS ts + INTERVAL '1 s') WITH (connector = "
     "'file')",
     "0A000@51"},
    {"CREATE TABLE n (ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '1 month') WITH (connector = "
     "'file')",
     "22023@56"},
    {"CREATE TABLE millrace.n (a int)", "42501@14"},
    {"CREATE TABLE other.n (a int)", "42704@14"},
    {"CREATE TEMP TABLE n (a int)", "0A000@19"},
    {"CREATE SOURCE s (a int)", "42P16@15"},
    {"CREATE SINK s FROM t", "0A000@8"},
    {"CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT 1", "0A000@1"},
    {"CREATE MATERIALIZED VIEW m WITH (emitt = 'x') AS SELECT 1", "22023@34"},
    {"CREATE MATERIALIZED VIEW m WITH (emit = 'x') AS SELECT 1", "22023@34"},
    {"CREATE MATERIALIZED VIEW m AS SELECT 1 WITH NO DATA", "0A000@26"},
    {"CREATE VIEW m(a, b) AS SELECT 1", "42601@13"},
    {"CREATE VIEW m AS SELECT a, a FROM t", "42701@13"},
    {"CREATE TABLE m AS SELECT a, b AS a FROM t", "42701@14"},
    {"CREATE INDEX i ON t (a)", "0A000@1"},
    {"INSERT INTO nope VALUES (1)", "42P01@13"},
    {"INSERT INTO t VALUES (1, 2, 3, 4, 5)", "42601@35"},
    {"INSERT INTO t (a, b) VALUES (1)", "42601@19"},
    {"INSERT INTO t (a, nope) VALUES (1, 2)", "42703@19"},
    {"INSERT INTO t (a, a) VALUES (1, 2)", "42701@19"},
    {"INSERT INTO t (a) VALUES ('x')", "22P02@27"},
    {"INSERT INTO t (a) VALUES (TIMESTAMP '2020-01-01')", "42804@37"},
    {"INSERT INTO t (a) SELECT ts FROM t", "42804@26"},
    {"INSERT INTO t SELECT * FROM u, orders", "42601@22"},
    {"INSERT INTO v VALUES (1, 'x')", "42809@13"},
    {"INSERT INTO per_minute VALUES (1)", "42809@13"},
    {"INSERT INTO orders (id) VALUES (1)", "23502@13"},
    {"INSERT INTO orders VALUES (NULL, 1)", "23502@28"},
    {"INSERT INTO orders DEFAULT VALUES", "23502@13"},
    {"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "0A000@26"},
    {"INSERT INTO t VALUES (1) RETURNING a", "0A000@36"},
    {"INSERT INTO t SELECT DEFAULT", "42601@22"},
    {"COPY t TO STDOUT", "0A000@1"},
    {"COPY t FROM PROGRAM 'x'", "0A000@1"},
    {"COPY t TO 'x' (FORMAT xml)", "22023@16"},
    {"COPY t TO 'x'", "22023@11"},
    {"COPY t (nope) FROM 'x.csv'", "42703@9"},
    {"DROP TABLE nope", "42P01@12"},
    {"DROP TABLE v", "42809@12"},
    {"DROP VIEW t", "42809@11"},
    {"DROP INDEX i", "0A000@1"},
    {"DROP SINK s", "0A000@6"},
    {"SHOW nope", "42704@6"},
    {"SET nope = 1", "42704@5"},
    {"SET parallelism = 'x'", "22023@19"},
    {"SET timezone = 'Mars'", "0A000@16"},
    {"SET LOCAL parallelism = 1", "0A000@1"},
    {"CALL nope(1)", "42883@6"},
    {"CALL millrace.wait_for('nope', 'rows', 1)", "42P01@24"},
    {"CALL millrace.wait_for('per_minute', 'x', 1)", "22023@38"},
    {"EXPLAIN CREATE TABLE n (a int)", "0A000@1"},
    {"EXPLAIN (NOPE) SELECT 1", "42601@10"},
    {"EXPLAIN ANALYZE VERBOSE SELECT 1", "0A000@17"},
    {"DELETE FROM t", "0A000@1"},
    {"ALTER TABLE t ADD COLUMN x int", "0A000@1"},
    {"TRUNCATE t", "0A000@1"},
    {"REFRESH MATERIALIZED VIEW per_minute", "0A000@1"},
    {"INSERT INTO millrace.jobs VALUES (1)", "42809@13"},
    {"DROP VIEW millrace.jobs", "42501@20"},
    {"DROP SOURCE t", "42809@13"},
    {"DROP MATERIALIZED VIEW clicks", "42809@24"},
    {"CREATE TABLE n (LIKE t)", "0A000@14"},
    {"CREATE TABLE n (a int) INHERITS (t)", "0A000@14"},
    {"CREATE TABLE n (a int COLLATE \"C\")", "0A000@17"},
    {"CREATE TABLE n (a nosuch)", "42704@19"},
    {"CREATE TABLE n (a int) PARTITION BY HASH (a)", "0A000@14"},
    {"CREATE MATERIALIZED VIEW m AS UPDATE t SET a = 1", "42601@31"},
    {"COPY t FROM 'x.csv' WHERE a > 1", "0A000@27"},
    {"SET parallelism = 1, 2", "22023@5"},
    {"SHOW parallelisms", "42704@6"},
    {"RESET nope", "42704@7"},
    {"GRANT SELECT ON t TO x", "0A000@1"},
    {"PREPARE p AS SELECT 1", "0A000@1"},
    {"COMMIT", "0A000@1"},
    {"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'x'", "0A000@1"},
    {"EXPLAIN EXPLAIN SELECT 1", "42601@9"},
    {"EXPLAIN", "42601@8"},
    {"EXPLAIN (FORMAT xml) SELECT 1", "0A000@10"},
    {"DESCRIBE", "42601@9"},
    {"DESCRIBE t, u", "42601@11"},
    {"INSERT INTO t (a.x) VALUES (1)", "0A000@16"},
    {"CALL millrace.wait_for('t', 'rows', 1)", "42809@24"},
    {"CALL millrace.wait_for('per_minute')", "22023@6"},
    {"CALL millrace.wait_for('per_minute', 'rows', 'x')", "22P02@46"},
};

TEST(BinderErrorStatementTest, PointsAtTheMistake) {
  for (const StatementErrorCase& error : kStatementErrors) {
    SCOPED_TRACE(error.sql);
    const absl::Status status = Bind(error.sql).status();
    EXPECT_EQ(ErrorPlace(status), error.place) << status.message();
  }
}

struct MessageCase {
  const char* sql;
  // "message | hint".
  const char* text;
};

constexpr MessageCase kMessages[] = {
    {"SELECT window_strt FROM per_minute",
     "42703@8: column \"window_strt\" does not exist | Perhaps you meant to reference the column "
     "\"per_minute.window_start\"."},
    {"SELECT ordrs.id FROM orders",
     "42P01@8: missing FROM-clause entry for table \"ordrs\" | Perhaps you meant to reference the "
     "table \"orders\"."},
    {"SELECT t.a FROM t AS x",
     "42P01@8: invalid reference to FROM-clause entry for table \"t\" | Perhaps you meant to "
     "reference the table alias \"x\"."},
    {"SELECT * FROM orderz",
     "42P01@15: relation \"orderz\" does not exist | Perhaps you meant \"orders\"."},
    {"SELECT a FROM t GROUP BY b",
     "42803@8: column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate "
     "function"},
    {"SELECT a FROM t WHERE a",
     "42804@23: argument of WHERE must be type boolean, not type integer"},
    {"SELECT sum(a) OVER (w ORDER BY b) FROM t WINDOW w AS (ORDER BY a)",
     "42P20@20: cannot override ORDER BY clause of window \"w\""},
    {"SELECT a FROM t UNION ALL SELECT b FROM t",
     "42804@34: UNION types integer and text cannot be matched"},
    {"SELECT a + b FROM t",
     "42883@10: operator does not exist: integer + text | No operator matches the given name and "
     "argument types. You might need to add explicit type casts."},
    {"SELECT nofunc(a) FROM t",
     "42883@8: function nofunc(integer) does not exist | No function matches the given name and "
     "argument types. You might need to add explicit type casts."},
    {"INSERT INTO t (a) SELECT ts FROM t",
     "42804@26: column \"a\" is of type integer but expression is of type timestamp without time "
     "zone | You will need to rewrite or cast the expression."},
    {"INSERT INTO orders VALUES (NULL, 1)",
     "23502@28: null value in column \"id\" of relation \"orders\" violates not-null constraint"},
    {"SELECT * FROM t ANTI JOIN u ON t.a = u.a",
     "0A000@17: ANTI JOIN is not supported | Write NOT EXISTS or NOT IN."},
    {"SELECT * FROM t AS OF",
     "0A000@20: this form of AS OF is not supported | For an older epoch write AS OF EPOCH and a "
     "number."},
    {"DROP TABLE v", "42809@12: \"v\" is not a table | Use DROP VIEW."},
    {"UPDATE t SET a = 1", "0A000@1: UPDATE is not supported"},
    {"SELECT * FROM tumble(clicks, ts)",
     "42883@15: wrong arguments for tumble | Write tumble(table, time column, size [, offset])."},
    {"SELECT * FROM (SELECT 1)",
     "42601@15: subquery in FROM must have an alias | For example, FROM (SELECT ...) [AS] foo."},
    {"SELECT * FROM t QUALIFY row_number() OVER () = 1",
     "0A000@17: QUALIFY is not supported | Filter on the window function in a query around this "
     "one."},
};

TEST(BinderErrorStatementTest, SpeaksAsPostgresDoes) {
  for (const MessageCase& error : kMessages) {
    SCOPED_TRACE(error.sql);
    EXPECT_EQ(ErrorText(Bind(error.sql).status()), error.text);
  }
}

}  // namespace
}  // namespace millrace
