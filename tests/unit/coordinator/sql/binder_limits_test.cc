#include <gtest/gtest.h>

#include <string>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// Statements made to exhaust the stack, the memory or the time of the process: long ones work, deep
// ones are refused.

namespace millrace {
namespace {

std::string Repeat(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

// A list of `count` elements, each with its number behind `prefix`.
std::string Numbered(const std::string& prefix, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) absl::StrAppend(&result, i == 0 ? "" : ", ", prefix, i);
  return result;
}

std::string CodeOf(const std::string& sql) {
  const absl::Status status = Bind(sql).status();
  return status.ok() ? "ok" : std::string(SqlStateCode(GetErrorDetail(status).state));
}

TEST(BinderLimitsTest, TakesLongLists) {
  EXPECT_EQ(CodeOf("SELECT 1 FROM t WHERE a IN (" + Numbered("", 20000) + ")"), "ok");
  EXPECT_EQ(CodeOf("SELECT 1 FROM t WHERE a = 0" + Repeat(" OR a = 1", 5000)), "ok");
  EXPECT_EQ(CodeOf("INSERT INTO t VALUES (0, 'x')" + Repeat(", (1, 'y')", 10000)), "ok");
  EXPECT_EQ(CodeOf("SELECT CASE a" + Repeat(" WHEN 1 THEN 2", 5000) + " END FROM t"), "ok");
  EXPECT_EQ(CodeOf("SELECT a" + Repeat(", a", 1600) + " FROM t"), "ok");
}

TEST(BinderLimitsTest, TakesModestDepth) {
  EXPECT_EQ(CodeOf("SELECT a" + Repeat(" + 1", 450) + " FROM t"), "ok");
  EXPECT_EQ(CodeOf("SELECT " + Repeat("upper(", 200) + "b" + Repeat(")", 200) + " FROM t"), "ok");
  EXPECT_EQ(CodeOf("SELECT * FROM " + Repeat("(SELECT * FROM ", 100) + "t" + Repeat(") x", 100)),
            "ok");
}

TEST(BinderLimitsTest, RefusesDepth) {
  const int deep = 20000;
  for (const std::string& sql :
       {"SELECT a" + Repeat(" + 1", deep) + " FROM t", "SELECT " + Repeat("(", deep),
        "SELECT " + Repeat("NOT ", deep) + "true", "SELECT 1" + Repeat(" UNION ALL SELECT 1", deep),
        "SELECT * FROM " + Repeat("(SELECT * FROM ", deep) + "t" + Repeat(") x", deep),
        "SELECT " + Repeat("CASE WHEN true THEN ", deep) + "1" + Repeat(" END", deep),
        "SELECT 1 FROM t WHERE " + Repeat("a IN (SELECT a FROM t WHERE ", deep) + "true" +
            Repeat(")", deep)}) {
    EXPECT_EQ(CodeOf(sql), "54001") << sql.substr(0, 60);
  }
}

TEST(BinderLimitsTest, RefusesManyOperators) {
  EXPECT_EQ(CodeOf("SELECT 1 FROM " + Numbered("t x", 3000)), "54001");
  EXPECT_EQ(CodeOf("SELECT 1 FROM t WHERE true" + Repeat(" AND EXISTS (SELECT 1)", 3000)), "54001");
  EXPECT_EQ(CodeOf("SELECT " + Numbered("sum(a) OVER (ORDER BY a + ", 200) + ") FROM t"), "42601");
  std::string windows = "SELECT 1";
  for (int i = 0; i < 200; ++i) absl::StrAppend(&windows, ", rank() OVER (ORDER BY a + ", i, ")");
  EXPECT_EQ(CodeOf(windows + " FROM t"), "54000");
}

TEST(BinderLimitsTest, RefusesPlansThatDouble) {
  std::string with = "WITH w0 AS (SELECT 1 AS x)";
  for (int i = 1; i < 60; ++i) {
    absl::StrAppend(&with, ", w", i, " AS (SELECT p.x FROM w", i - 1, " p, w", i - 1, " q)");
  }
  EXPECT_EQ(CodeOf(with + " SELECT * FROM w59"), "54001");
  EXPECT_EQ(CodeOf("SELECT " + Repeat("true IN (SELECT ", 100) + "true" + Repeat(")", 100)),
            "54001");
}

TEST(BinderLimitsTest, RefusesWideRows) {
  EXPECT_EQ(CodeOf("SELECT a" + Repeat(", a", 1700) + " FROM t"), "54011");
  EXPECT_EQ(CodeOf("CREATE TABLE n (" + Numbered("c", 1700) + ")"), "42601");
  std::string table = "CREATE TABLE n (c int";
  for (int i = 0; i < 1700; ++i) absl::StrAppend(&table, ", c", i, " int");
  EXPECT_EQ(CodeOf(table + ")"), "54011");
  EXPECT_EQ(CodeOf("WITH w AS (SELECT a" + Repeat(", a", 1600) + " FROM t) SELECT 1 FROM " +
                   Numbered("w x", 1500)),
            "54001");
}

TEST(BinderLimitsTest, RefusesLongListsThatAreCompared) {
  EXPECT_EQ(CodeOf("SELECT 1 FROM t GROUP BY " + Numbered("a + ", 20000)), "54011");
  EXPECT_EQ(CodeOf("SELECT 1 FROM t ORDER BY " + Numbered("a + ", 20000)), "54011");
  std::string having = "SELECT 1 FROM t HAVING sum(a) IN (0";
  for (int i = 0; i < 3000; ++i) absl::StrAppend(&having, ", sum(a + ", i, ")");
  EXPECT_EQ(CodeOf(having + ")"), "54011");
}

TEST(BinderLimitsTest, RefusesLongStatements) {
  EXPECT_EQ(CodeOf("SELECT '" + std::string(1 << 20, 'x') + "'"), "54000");
}

}  // namespace
}  // namespace millrace
