#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/expr/expr.h"

// Resolution of functions, operators and casts by PostgreSQL's rules, for the binder. All functions
// return a typed expression with every implicit cast made explicit, or an error with `position`.
// Unknown-typed literals (TypeId::kUnknown) take the type that resolution gives them.

namespace millrace {

// Where a cast stands: implicit (function arguments, CASE, UNION), assignment (INSERT), explicit
// (CAST, ::).
enum class CastContext : uint8_t { kImplicit, kAssignment, kExplicit };

// A scalar function by name. Special forms too: coalesce, nullif, greatest, least.
// 42883 with the argument types and a hint if there is none; 42725 if several fit equally.
absl::StatusOr<ExprPtr> BuildFunctionCall(absl::string_view name, std::vector<ExprPtr> args,
                                          int32_t position);

// A binary or unary (one argument) operator: + - * / % ^ = <> < <= > >= || ~ ~* !~ !~* ~~ (LIKE)
// !~~ ~~* !~~* @ |/ & | # << >>.
absl::StatusOr<ExprPtr> BuildOperator(absl::string_view op, std::vector<ExprPtr> args,
                                      int32_t position);

// AND, OR (any number), NOT (one). Arguments are cast to boolean or refused (42804).
absl::StatusOr<ExprPtr> BuildAnd(std::vector<ExprPtr> args, int32_t position);
absl::StatusOr<ExprPtr> BuildOr(std::vector<ExprPtr> args, int32_t position);
absl::StatusOr<ExprPtr> BuildNot(ExprPtr arg, int32_t position);
// IS [NOT] NULL / TRUE / FALSE / UNKNOWN: test is "null", "not_null", "true", "not_true", "false",
// "not_false".
absl::StatusOr<ExprPtr> BuildIsTest(absl::string_view test, ExprPtr arg, int32_t position);
// a IS [NOT] DISTINCT FROM b.
absl::StatusOr<ExprPtr> BuildIsDistinct(ExprPtr left, ExprPtr right, bool negated,
                                        int32_t position);
// needle IN (list of expressions).
absl::StatusOr<ExprPtr> BuildInList(ExprPtr needle, std::vector<ExprPtr> list, bool negated,
                                    int32_t position);
// Conditions and results of equal length; otherwise may be null.
absl::StatusOr<ExprPtr> BuildCase(std::vector<ExprPtr> conditions, std::vector<ExprPtr> results,
                                  ExprPtr otherwise, int32_t position);

// A cast; returns `input` itself if the types are equal. 42846 if there is no such cast in that
// context. Literals are folded: a bad literal is an error here (22P02 and so on).
absl::StatusOr<ExprPtr> BuildCast(ExprPtr input, const SqlType& target, CastContext context,
                                  int32_t position);
// The common type of CASE results, UNION columns, VALUES columns, IN lists: PostgreSQL's
// select_common_type. `what` names the construct in the message ("UNION", "CASE", "VALUES"). All
// unknown gives text.
absl::StatusOr<SqlType> CommonType(const std::vector<ExprPtr>& exprs, absl::string_view what,
                                   int32_t position);

// An aggregate by name (count, sum, avg, min, max, stddev, stddev_samp, stddev_pop, variance,
// var_samp, var_pop, bool_and, bool_or, every, string_agg). `args` come back cast to what the
// accumulator takes; columns are assigned by the caller.
struct ResolvedAggregate {
  AggregateFunction function;
  std::vector<ExprPtr> args;
  SqlType type;
};
bool IsAggregateName(absl::string_view name);
absl::StatusOr<ResolvedAggregate> ResolveAggregate(absl::string_view name,
                                                   std::vector<ExprPtr> args, int32_t position);

// Functions that only mean something with OVER: row_number, rank, dense_rank, percent_rank,
// cume_dist, ntile, lag, lead, first_value, last_value, nth_value. `args` come back with casts made
// explicit.
struct ResolvedRanking {
  std::string name;
  std::vector<ExprPtr> args;
  SqlType type;
};
bool IsRankingName(absl::string_view name);
absl::StatusOr<ResolvedRanking> ResolveRanking(absl::string_view name, std::vector<ExprPtr> args,
                                               int32_t position);

// For SHOW FUNCTIONS: one line each.
struct FunctionDescription {
  std::string name;
  std::string arguments;
  std::string result;
  std::string description;
};
std::vector<FunctionDescription> ListFunctions();

// A type by its SQL name ("int", "double precision", "varchar") and modifiers; 42704 if unknown.
absl::StatusOr<SqlType> ResolveTypeName(absl::string_view name,
                                        const std::vector<int32_t>& modifiers);

// Evaluates an expression without columns. Errors of evaluation carry the expression's position.
absl::StatusOr<Value> EvaluateConstant(const Expr& expr);

}  // namespace millrace
