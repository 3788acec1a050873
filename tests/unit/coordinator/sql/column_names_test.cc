#include "coordinator/sql/column_names.h"

#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

namespace millrace {
namespace {

// PostgreSQL's rules for columns without AS.
struct NameCase {
  const char* expr;
  const char* column;
};

constexpr NameCase kNames[] = {
    {"a", "a integer"},
    {"t.b", "b text"},
    {"a + 1", "?column? integer"},
    {"'x'", "?column? text"},
    {"NULL", "?column? text"},
    {"true", "?column? boolean"},
    {"a::bigint", "a bigint"},
    {"'5'::integer", "int4 integer"},
    {"DATE '2024-01-01'", "date date"},
    {"CAST(upper(b) AS varchar(3))", "upper character varying(3)"},
    {"upper(b)", "upper text"},
    {"count(*) OVER ()", "count bigint"},
    {"CASE WHEN true THEN 1 ELSE 2 END", "case integer"},
    {"(CASE WHEN true THEN 1 END)::text", "text text"},
    {"COALESCE(1, 2)", "coalesce integer"},
    {"GREATEST(1, 2)", "greatest integer"},
    {"NULLIF(1, 2)", "nullif integer"},
    {"EXISTS (SELECT 1)", "exists boolean"},
    {"(SELECT 7 AS seven)", "seven integer"},
    {"EXTRACT(year FROM TIMESTAMP '2024-01-01')", "extract numeric"},
    {"TRIM('x')", "btrim text"},
    {"CURRENT_DATE", "current_date date"},
    {"row_number() OVER ()", "row_number bigint"},
};

TEST(ColumnNamesTest, NamesColumnsAsPostgresDoes) {
  for (const NameCase& test : kNames) {
    const std::string sql = absl::StrCat("SELECT ", test.expr, " FROM t");
    EXPECT_EQ(ColumnsOf(sql), test.column) << sql;
  }
}

}  // namespace
}  // namespace millrace
