#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// What statements other than queries are bound to.

namespace millrace {
namespace {

TEST(BinderStatementTest, CreatesStoredTable) {
  const auto table = BindAs<BoundCreateTable>(
      "CREATE TABLE IF NOT EXISTS n (a int NOT NULL, b varchar(5) NULL, c numeric(5,2), "
      "PRIMARY KEY (c, a))");
  EXPECT_EQ(table.name, "n");
  EXPECT_TRUE(table.if_not_exists);
  EXPECT_TRUE(table.has_columns);
  EXPECT_EQ(table.columns[1], (Field{"b", SqlType{TypeId::kVarchar, 5, 0}}));
  EXPECT_EQ(table.primary_key, (std::vector<int>{2, 0}));
  EXPECT_EQ(table.not_null_columns, (std::vector<int>{0, 2}));
  EXPECT_EQ(table.name_position, 28);
  EXPECT_TRUE(table.options.empty());
}

TEST(BinderStatementTest, CreatesOutsideTableWithoutColumns) {
  const auto table = BindAs<BoundCreateTable>(
      "CREATE TABLE n () WITH (connector = 'file', 'Path' = 'x/*.csv', csv.null.text = '', "
      "header = true, rows = 5, rate = 1.5, start = earliest, follow)");
  EXPECT_FALSE(table.has_columns);
  EXPECT_EQ(table.options, (std::map<std::string, std::string>{{"connector", "file"},
                                                               {"path", "x/*.csv"},
                                                               {"csv.null.text", ""},
                                                               {"header", "true"},
                                                               {"rows", "5"},
                                                               {"rate", "1.5"},
                                                               {"start", "earliest"},
                                                               {"follow", "true"}}));
  EXPECT_EQ(table.options_position, 25);
}

TEST(BinderStatementTest, CreatesSourceWithWatermark) {
  const auto table = BindAs<BoundCreateTable>(
      "CREATE SOURCE n (x bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '1 min') "
      "WITH (connector = 'datagen')");
  EXPECT_EQ(table.watermark_column, "ts");
  EXPECT_EQ(table.watermark_delay_micros, 60'000'000);
  EXPECT_EQ(table.columns.size(), 2u);
  const auto plain = BindAs<BoundCreateTable>(
      "CREATE TABLE n (WATERMARK FOR \"Ts\" AS \"Ts\") WITH (connector = 'file')");
  EXPECT_EQ(plain.watermark_column, "Ts");
  EXPECT_EQ(plain.watermark_delay_micros, 0);
  EXPECT_FALSE(plain.has_columns);
}

TEST(BinderStatementTest, KeepsTheTextOfViews) {
  const auto view = BindAs<BoundCreateView>("CREATE OR REPLACE VIEW v (k) AS\n SELECT a FROM t ;");
  EXPECT_EQ(view.query, "SELECT a FROM t");
  EXPECT_TRUE(view.or_replace);
  EXPECT_FALSE(view.materialized);
  EXPECT_EQ(view.plan->output[0].name, "k");
  const auto emits = BindAs<BoundCreateView>(
      "CREATE MATERIALIZED VIEW m (n) WITH (emit = 'on_window_close') AS (SELECT 'ä' AS x) -- c");
  EXPECT_EQ(emits.query, "(SELECT 'ä' AS x)");
  EXPECT_TRUE(emits.emit_on_window_close);
  EXPECT_EQ(emits.emit_position, 38);
  EXPECT_TRUE(emits.materialized);
  const auto word = BindAs<BoundCreateView>(
      "CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT 1 AS one EMIT ON WINDOW CLOSE;");
  EXPECT_EQ(word.query, "SELECT 1 AS one");
  EXPECT_TRUE(word.emit_on_window_close);
  EXPECT_EQ(word.emit_position, 61);
  EXPECT_TRUE(word.if_not_exists);
  EXPECT_EQ(BindAs<BoundCreateView>("CREATE MATERIALIZED VIEW m AS SELECT 1 AS x WITH DATA").query,
            "SELECT 1 AS x");
}

TEST(BinderStatementTest, BindsStoredQueries) {
  const CatalogSnapshot catalog = MakeTestCatalog();
  const absl::StatusOr<LogicalPtr> plan =
      BindStoredQuery(*catalog.Find("v"), catalog, MakeTestContext());
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ((*plan)->output[1].name, "upper_b");
}

TEST(BinderStatementTest, Inserts) {
  const auto insert = BindAs<BoundInsert>("INSERT INTO t SELECT 1 EMIT ON WINDOW CLOSE");
  EXPECT_EQ(insert.target->name(), "t");
  EXPECT_TRUE(insert.emit_on_window_close);
  EXPECT_EQ(insert.name_position, 13);
  EXPECT_EQ(insert.emit_position, 24);
  EXPECT_EQ(BindAs<BoundInsert>("INSERT INTO t SELECT 1").emit_position, 0);
  EXPECT_EQ(insert.plan->output.size(), 4u);
}

TEST(BinderStatementTest, Copies) {
  const auto to = BindAs<BoundCopyTo>("COPY t TO 'a.csv' WITH (HEADER false, DELIMITER '|')");
  EXPECT_EQ(to.path, "a.csv");
  EXPECT_EQ(to.path_position, 11);
  EXPECT_EQ(to.options, (std::map<std::string, std::string>{
                            {"delimiter", "|"}, {"format", "csv"}, {"header", "false"}}));
  const auto from = BindAs<BoundCopyFrom>("COPY t FROM 'a.parquet'");
  EXPECT_EQ(from.target->name(), "t");
  EXPECT_EQ(from.plan->output.size(), 4u);
  const auto& scan = static_cast<const LogicalScan&>(*from.plan);
  EXPECT_EQ(scan.object->options().at("path"), "a.parquet");
  EXPECT_EQ(scan.object->options().at("format"), "parquet");
}

TEST(BinderStatementTest, AViewDependsOnNoSystemView) {
  const auto view =
      BindAs<BoundCreateView>("CREATE VIEW w AS SELECT t.a FROM t, millrace.jobs AS j");
  EXPECT_EQ(view.depends_on.size(), 1u);
}

TEST(BinderStatementTest, Drops) {
  const auto tables = BindAs<BoundDrop>("DROP TABLE IF EXISTS zz, public.t, clicks CASCADE");
  EXPECT_EQ(tables.object_class, ObjectClass::kTable);
  EXPECT_EQ(tables.names, (std::vector<std::string>{"zz", "t", "clicks"}));
  EXPECT_TRUE(tables.if_exists);
  EXPECT_TRUE(tables.cascade);
  EXPECT_EQ(tables.name_position, 22);
  EXPECT_EQ(BindAs<BoundDrop>("DROP SOURCE clicks").object_class, ObjectClass::kSource);
  EXPECT_EQ(BindAs<BoundDrop>("DROP MATERIALIZED VIEW per_minute").object_class,
            ObjectClass::kMaterializedView);
  EXPECT_EQ(BindAs<BoundDrop>("DROP VIEW v").object_class, ObjectClass::kView);
}

TEST(BinderStatementTest, Explains) {
  const auto plain = BindAs<BoundExplain>("EXPLAIN INSERT INTO t SELECT 1");
  EXPECT_FALSE(plain.analyze);
  EXPECT_TRUE(std::holds_alternative<BoundInsert>(plain.statement->statement));
  const auto analyzed = BindAs<BoundExplain>("EXPLAIN (ANALYZE, FORMAT json) SELECT 1");
  EXPECT_TRUE(analyzed.analyze);
  EXPECT_TRUE(analyzed.json);
  EXPECT_TRUE(std::holds_alternative<BoundSelect>(analyzed.statement->statement));
  const auto view = BindAs<BoundExplain>("EXPLAIN CREATE MATERIALIZED VIEW m AS SELECT 1");
  EXPECT_TRUE(std::holds_alternative<BoundCreateView>(view.statement->statement));
  const auto copy = BindAs<BoundExplain>("EXPLAIN COPY t TO 'x.csv'");
  EXPECT_TRUE(std::holds_alternative<BoundCopyTo>(copy.statement->statement));
}

TEST(BinderStatementTest, SetsAndShows) {
  const auto set = BindAs<BoundSet>("SET epoch_interval TO '0.2 s'");
  EXPECT_EQ(set.name, "epoch_interval");
  EXPECT_EQ(set.value, "200 ms");
  EXPECT_EQ(BindAs<BoundSet>("SET TIME ZONE 'utc'").value, "UTC");
  EXPECT_FALSE(BindAs<BoundSet>("RESET parallelism").value.has_value());
  EXPECT_FALSE(BindAs<BoundSet>("SET parallelism TO DEFAULT").value.has_value());
  EXPECT_EQ(BindAs<BoundSet>("RESET ALL").name, "all");
  EXPECT_EQ(BindAs<BoundShow>("SHOW Tables").what, "tables");
  EXPECT_EQ(BindAs<BoundShow>("SHOW ALL").what, "all");
  EXPECT_EQ(BindAs<BoundShow>("SHOW TIME ZONE").what, "timezone");
  BindAs<BoundFlush>("FLUSH;");
}

TEST(BinderStatementTest, Describes) {
  EXPECT_EQ(BindAs<BoundDescribe>("DESCRIBE public.t").object->name(), "t");
  EXPECT_EQ(BindAs<BoundDescribe>("DESCRIBE millrace.jobs").object->name(), "millrace.jobs");
}

TEST(BinderStatementTest, SubscribesToViews) {
  const auto plain = BindAs<BoundSubscribe>("subscribe to per_minute;");
  EXPECT_EQ(plain.view->name(), "per_minute");
  EXPECT_EQ(plain.epochs, SubscribeEpochs::kDurable);
  EXPECT_FALSE(plain.snapshot);
  EXPECT_FALSE(plain.progress);
  const auto all = BindAs<BoundSubscribe>(
      "SUBSCRIBE TO public.per_minute WITH (snapshot = true, 'epochs' = 'published', progress = "
      "1)");
  EXPECT_EQ(all.epochs, SubscribeEpochs::kPublished);
  EXPECT_TRUE(all.snapshot);
  EXPECT_TRUE(all.progress);
}

TEST(BinderStatementTest, WaitsForViews) {
  const auto rows =
      BindAs<BoundWaitFor>("CALL millrace.wait_for('per_minute', 'rows', 5, INTERVAL '3 s')");
  EXPECT_EQ(rows.view->name(), "per_minute");
  EXPECT_EQ(rows.mode, "rows");
  EXPECT_EQ(std::get<int64_t>(rows.value.value), 5);
  EXPECT_EQ(rows.timeout_micros, 3'000'000);
  const auto complete =
      BindAs<BoundWaitFor>("CALL millrace.wait_for('per_minute', 'complete', '2 min')");
  EXPECT_EQ(complete.timeout_micros, 120'000'000);
  const auto watermark =
      BindAs<BoundWaitFor>("CALL millrace.wait_for('per_minute', 'watermark', '2024-01-01')");
  EXPECT_EQ(watermark.value.type.id, TypeId::kTimestamp);
  EXPECT_EQ(watermark.timeout_micros, 60'000'000);
}

}  // namespace
}  // namespace millrace
