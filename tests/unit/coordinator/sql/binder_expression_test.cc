#include <gtest/gtest.h>

#include "tests/unit/coordinator/sql/binder_fixture.h"

// The forms of expressions that the grammar spells out, and what they become.

namespace millrace {
namespace {

struct ExpressionCase {
  const char* sql;
  const char* bound;
};

constexpr ExpressionCase kExpressions[] = {
    {"a BETWEEN 1 AND 3", "(a >= 1) AND (a <= 3)"},
    {"a NOT BETWEEN 1 AND 3", "(a < 1) OR (a > 3)"},
    {"a BETWEEN SYMMETRIC 3 AND 1", "((a >= 3) AND (a <= 1)) OR ((a >= 1) AND (a <= 3))"},
    {"a NOT BETWEEN SYMMETRIC 3 AND 1", "((a < 3) OR (a > 1)) AND ((a < 1) OR (a > 3))"},
    {"a IN (1, 2, 3)", "a IN (1, 2, 3)"},
    {"b NOT IN ('x', NULL)", "NOT (b IN ('x', NULL))"},
    {"b LIKE 'a%'", "b ~~ 'a%'"},
    {"b NOT ILIKE '_b'", "b !~~* '_b'"},
    {"b LIKE 'a!%!!b\\' ESCAPE '!'", "b ~~ 'a\\%\\!b\\\\'"},
    {"b LIKE 'a\\%' ESCAPE '\\'", "b ~~ 'a\\%'"},
    {"b LIKE '\\%' ESCAPE ''", "b ~~ '\\\\%'"},
    {"CASE WHEN a > 1 THEN 'x' ELSE b END", "CASE WHEN a > 1 THEN 'x' ELSE b END"},
    {"CASE a WHEN 1 THEN 2 END", "CASE WHEN a = 1 THEN 2 ELSE NULL END"},
    {"CASE WHEN a > 1 THEN 1 ELSE 2.5 END", "CASE WHEN a > 1 THEN 1.0 ELSE 2.5 END"},
    {"a IS NULL", "a IS NULL"},
    {"b IS NOT NULL", "b IS NOT NULL"},
    {"a IS DISTINCT FROM 1", "a IS DISTINCT FROM 1"},
    {"a IS NOT DISTINCT FROM NULL", "a IS NOT DISTINCT FROM NULL"},
    {"(a > 1) IS TRUE", "(a > 1) IS TRUE"},
    {"(a > 1) IS NOT FALSE", "(a > 1) IS NOT FALSE"},
    {"(a > 1) IS UNKNOWN", "(a > 1) IS NULL"},
    {"COALESCE(a, 0)", "coalesce(a, 0)"},
    {"NULLIF(a, 1)", "nullif(a, a = 1)"},
    {"GREATEST(a, 2)", "greatest(a, 2)"},
    {"LEAST(c, 1)", "least(c::numeric, 1.00)"},
    {"SUBSTRING(b FROM 1 FOR 2)", "substring(b, 1, 2)"},
    {"POSITION('x' IN b)", "position(b, 'x')"},
    {"TRIM(BOTH 'x' FROM b)", "btrim(b, 'x')"},
    {"OVERLAY(b PLACING 'y' FROM 1)", "overlay(b, 'y', 1)"},
    {"EXTRACT(year FROM ts)", "extract('year', ts)"},
    {"ts AT TIME ZONE 'UTC'", "timezone('UTC', ts)"},
    {"a::text", "a::text"},
    {"CAST(b AS integer)", "b::integer"},
    {"c::numeric(5,1)", "c::numeric(5,1)"},
    {"'x'::varchar(3)", "'x'"},
    {"DATE '2024-02-29'", "date '2024-02-29'"},
    {"TIMESTAMP '2024-01-01 10:00'", "timestamp '2024-01-01 10:00:00'"},
    {"TIME '10:00'", "time '10:00:00'"},
    {"INTERVAL '5 s'", "interval '00:00:05'"},
    {"INTERVAL '1' DAY", "interval '1 day'"},
    {"INTERVAL '90' MINUTE", "interval '01:30:00'"},
    {"INTERVAL '1-2' YEAR TO MONTH", "interval '1 year 2 mons'"},
    {"INTERVAL '2:30' MINUTE TO SECOND", "interval '00:02:30'"},
    {"INTERVAL '2:30' HOUR TO MINUTE", "interval '02:30:00'"},
    {"INTERVAL '1 day 5 hours' DAY", "interval '1 day'"},
    {"INTERVAL '14 months' YEAR", "interval '1 year'"},
    {"1", "1"},
    {"2147483648", "2147483648"},
    {"1.50", "1.50"},
    {"1e3", "1000"},
    {"-2147483648", "-2147483648"},
    {"9223372036854775808", "9223372036854775808"},
    {"-a + 2 * a ^ 2",
     "(-a)::double precision + (float8 '2' * (a::double precision ^ float8 '2'))"},
    {"NOT (a > 1 AND b = 'x' OR c < 2)", "NOT (((a > 1) AND (b = 'x')) OR (c < 2))"},
    {"a > 1 AND b = 'x' AND c < 2", "(a > 1) AND (b = 'x') AND (c < 2)"},
    {"b COLLATE \"C\" < 'x'", "b < 'x'"},
    {"b || 1", "b || '1'"},
    {"a = '5'", "a = 5"},
    {"'5' = a", "5 = a"},
    {"ts > '2024-01-01'", "ts > timestamp '2024-01-01 00:00:00'"},
    {"pg_catalog.upper(b)", "upper(b)"},
    {"t.a", "a"},
    {"public.t.a", "a"},
    {"current_date", "current_date()"},
    {"now()", "now()"},
};

TEST(BinderExpressionTest, BindsForms) {
  for (const ExpressionCase& test : kExpressions) {
    const std::string sql = absl::StrCat("SELECT ", test.sql, " AS zz FROM t");
    const std::string plan = PlanOf(sql);
    const std::string first = plan.substr(0, plan.find('\n'));
    EXPECT_EQ(first, absl::StrCat("Project ", test.bound, " AS zz")) << sql;
  }
}

}  // namespace
}  // namespace millrace
