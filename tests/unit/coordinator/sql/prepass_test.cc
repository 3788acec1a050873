#include "coordinator/sql/prepass.h"

#include <gtest/gtest.h>

#include "common/base/status.h"

namespace millrace {
namespace {

// `sql` must outlive the result.
Prepass Rewrite(absl::string_view sql) {
  absl::StatusOr<std::vector<SqlToken>> tokens = ScanTokens(sql);
  EXPECT_TRUE(tokens.ok()) << sql;
  absl::StatusOr<Prepass> result = RunPrepass(sql, *std::move(tokens));
  EXPECT_TRUE(result.ok()) << sql << ": " << result.status().message();
  if (!result.ok()) return Prepass{};
  EXPECT_EQ(result->text.size(), sql.size()) << "every byte keeps its place";
  return *std::move(result);
}

TEST(PrepassTest, LeavesPlainStatementsAlone) {
  for (const char* sql :
       {"SELECT a FROM t WHERE b = 'x'", "INSERT INTO t VALUES (1)",
        "SELECT EXTRACT(year FROM '2020-01-01'::date), TRIM(BOTH 'x' FROM 'y')",
        "SELECT SUBSTRING('abc' FROM '2'), 'a' IS NOT DISTINCT FROM 'b'", "COPY t FROM 'x.csv'",
        "SELECT 1 FROM (VALUES ('a'), ('b')) v, t JOIN (VALUES ('c')) w ON x IN ('d', 'e')",
        "SELECT descriptor(a), epoch AS of FROM t", "SELECT \"emit\" FROM \"asof\""}) {
    EXPECT_EQ(Rewrite(sql).text, sql);
  }
}

TEST(PrepassTest, TakesFilesOutOfFrom) {
  const Prepass result = Rewrite("SELECT 1 FROM 'a.csv' x, 'b.csv' JOIN E'c\\'d' y ON x.k = 'k'");
  EXPECT_EQ(result.text, "SELECT 1 FROM _f      x, _f      JOIN _f      y ON x.k = 'k'");
  EXPECT_EQ(result.files,
            (std::map<int32_t, std::string>{{14, "a.csv"}, {25, "b.csv"}, {38, "c'd"}}));
}

TEST(PrepassTest, TakesFilesOutOfSubqueriesAndCopy) {
  EXPECT_EQ(Rewrite("COPY (SELECT * FROM 'a') TO 'b'").files.size(), 1u);
  EXPECT_EQ(Rewrite("SELECT (SELECT 1 FROM 'a' WHERE x = 'y'), 'z' FROM t").files.size(), 1u);
  EXPECT_EQ(Rewrite("SELECT 1 FROM ('a' x CROSS JOIN 'b' y)").files.size(), 2u);
}

TEST(PrepassTest, TakesEpochsToTheirRelations) {
  const Prepass result = Rewrite("SELECT 1 FROM v AS OF EPOCH 7 AS x, s.w AS of epoch 8");
  EXPECT_EQ(result.text, "SELECT 1 FROM v               AS x, s.w              ");
  EXPECT_EQ(result.epochs, (std::map<int32_t, uint64_t>{{14, 7}, {36, 8}}));
}

TEST(PrepassTest, TakesSubscriptionsApart) {
  const Prepass plain = Rewrite("SUBSCRIBE TO s.v");
  EXPECT_EQ(plain.head, StatementHead::kSubscribe);
  EXPECT_EQ(plain.text, "TABLE        s.v");
  const Prepass result = Rewrite("Subscribe to v WITH (a = 'X y', \"B\" = True, 'c.d' = 7)");
  EXPECT_EQ(result.text, "TABLE        v                                        ");
  ASSERT_EQ(result.subscribe_options.size(), 3);
  EXPECT_EQ(result.subscribe_options[0].key, "a");
  EXPECT_EQ(result.subscribe_options[0].value, "X y");
  EXPECT_EQ(result.subscribe_options[0].key_begin, 21);
  EXPECT_EQ(result.subscribe_options[0].value_begin, 25);
  EXPECT_EQ(result.subscribe_options[1].key, "B");
  EXPECT_EQ(result.subscribe_options[1].value, "true");
  EXPECT_EQ(result.subscribe_options[2].key, "c.d");
  EXPECT_EQ(result.subscribe_options[2].value, "7");
}

TEST(PrepassTest, DropsFlinksWords) {
  EXPECT_EQ(Rewrite("SELECT 1 FROM TUMBLE(TABLE t, DESCRIPTOR(ts), 1)").text,
            "SELECT 1 FROM TUMBLE(      t,            ts , 1)");
  EXPECT_EQ(Rewrite("SELECT 1 FROM hop(data => TABLE t, x => DESCRIPTOR(ts))").text,
            "SELECT 1 FROM hop(data =>       t, x =>            ts )");
}

TEST(PrepassTest, TakesKeysOfOptions) {
  const Prepass result =
      Rewrite("CREATE TABLE t () WITH ('Connector' = 'file', a.b.c = 1, plain = 'x.y')");
  EXPECT_EQ(result.text, "CREATE TABLE t () WITH (k           = 'file', k     = 1, plain = 'x.y')");
  EXPECT_EQ(result.option_keys, (std::map<int32_t, std::string>{{24, "connector"}, {46, "a.b.c"}}));
}

TEST(PrepassTest, CutsWatermarksWithTheirComma) {
  const char* const last =
      "CREATE TABLE t (ts timestamp, WATERMARK FOR ts AS ts - f(1, 2)) WITH (a = 1)";
  const Prepass at_end = Rewrite(last);
  EXPECT_EQ(at_end.text.substr(0, 63),
            "CREATE TABLE t (ts timestamp                                  )");
  ASSERT_TRUE(at_end.watermark.has_value());
  EXPECT_EQ(at_end.watermark->column, "ts");
  EXPECT_EQ(std::string(last).substr(at_end.watermark->expr_begin,
                                     at_end.watermark->expr_end - at_end.watermark->expr_begin),
            "ts - f(1, 2)");
  EXPECT_EQ(Rewrite("CREATE TABLE t (WATERMARK FOR ts AS ts, ts timestamp)").text,
            "CREATE TABLE t (                        ts timestamp)");
}

TEST(PrepassTest, RewritesFirstWords) {
  EXPECT_EQ(Rewrite("DESCRIBE x").text, "TABLE    x");
  EXPECT_EQ(Rewrite("CREATE SOURCE x ()").text, "CREATE TABLE  x ()");
  EXPECT_EQ(Rewrite("DROP SOURCE x").head, StatementHead::kSource);
  EXPECT_EQ(Rewrite("FLUSH").head, StatementHead::kFlush);
}

TEST(PrepassTest, CutsExplain) {
  const Prepass plain = Rewrite("EXPLAIN SELECT 1");
  EXPECT_EQ(plain.text, "        SELECT 1");
  EXPECT_TRUE(plain.explain);
  EXPECT_FALSE(plain.analyze);
  EXPECT_TRUE(Rewrite("EXPLAIN ANALYZE SELECT 1").analyze);
  const Prepass options = Rewrite("EXPLAIN (ANALYZE off, FORMAT 'json', COSTS false) SELECT 1");
  EXPECT_FALSE(options.analyze);
  EXPECT_TRUE(options.json);
  EXPECT_FALSE(Rewrite("EXPLAIN (SELECT 1)").json);
}

TEST(PrepassTest, CutsEmitAtTheEnd) {
  const Prepass result = Rewrite("INSERT INTO t SELECT 1 EMIT ON WINDOW CLOSE");
  EXPECT_EQ(result.text, "INSERT INTO t SELECT 1                     ");
  EXPECT_EQ(result.emit_begin, 23);
}

TEST(PrepassTest, RefusesNamesThatWouldBeCut) {
  const std::string sql = "SELECT " + std::string(64, 'a');
  const absl::Status status = RunPrepass(sql, *ScanTokens(sql)).status();
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kNameTooLong);
  const std::string fits = "SELECT " + std::string(63, 'a');
  EXPECT_TRUE(RunPrepass(fits, *ScanTokens(fits)).ok());
}

}  // namespace
}  // namespace millrace
