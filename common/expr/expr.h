#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/sql_type.h"
#include "common/types/value.h"

namespace millrace {

namespace v1 {
class Expr;
class SortKey;
class AggregateCall;
}  // namespace v1

struct Expr;
// Expressions are immutable and shared.
using ExprPtr = std::shared_ptr<const Expr>;

enum class ExprKind : uint8_t { kColumn, kLiteral, kCall, kCast, kCase };

// A typed scalar expression: names resolved, every cast explicit. Build it with the functions below
// and with common/expr/function_registry.h, which checks types.
struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  SqlType type;
  // 1-based character in the statement; 0 = unknown. Reported with errors at run time.
  int32_t position = 0;
  // kColumn: column of the input.
  int column_index = 0;
  // kLiteral.
  Value literal;
  // kCall: unique name of the implementation, "add(int4,int4)".
  std::string function;
  // kCall: arguments. kCast: the input. kCase: conditions and results in turn (c0, r0, c1, r1, …),
  // then the ELSE (always present; a NULL literal if the statement has none).
  std::vector<ExprPtr> args;
};

ExprPtr MakeColumn(int index, SqlType type, int32_t position = 0);
ExprPtr MakeLiteral(Value value, int32_t position = 0);
ExprPtr MakeBoolean(bool value);

// True if no column occurs in it and every function is immutable, so that it can be computed once.
bool IsConstant(const Expr& expr);
// Structural equality; positions do not count.
bool SameExpr(const Expr& a, const Expr& b);
// Calls `visit(column_index)` for each column reference.
template <typename Visit>
void ForEachColumn(const Expr& expr, const Visit& visit) {
  if (expr.kind == ExprKind::kColumn) visit(expr.column_index);
  for (const ExprPtr& arg : expr.args) ForEachColumn(*arg, visit);
}
// The expression with column i replaced by replacements[i] (substitution through a projection).
ExprPtr ReplaceColumns(const ExprPtr& expr, const std::vector<ExprPtr>& replacements);
// The expression with column i renumbered to mapping[i] (which must be ≥ 0).
ExprPtr RemapColumns(const ExprPtr& expr, const std::vector<int>& mapping);
// Splits a predicate at its top-level ANDs, and the inverse (null for none).
std::vector<ExprPtr> SplitConjunction(const ExprPtr& predicate);
ExprPtr MakeConjunction(const std::vector<ExprPtr>& conjuncts);
// For EXPLAIN and messages: "(price * 2) > 10"; column names from `input`.
std::string ExprToString(const Expr& expr, const Schema& input);

// One key of an ordering.
struct SortKey {
  ExprPtr expr;
  bool descending = false;
  bool nulls_first = false;
};

// The numbers are those of millrace.v1.AggregateFunction.
enum class AggregateFunction : uint8_t {
  kCountStar = 1,
  kCount = 2,
  kSum = 3,
  kAvg = 4,
  kMin = 5,
  kMax = 6,
  kStddevSamp = 7,
  kStddevPop = 8,
  kVarSamp = 9,
  kVarPop = 10,
  kBoolAnd = 11,
  kBoolOr = 12,
  kStringAgg = 13,
  kSingleValue = 14,
};

// One aggregate over columns of its input.
struct AggregateCall {
  AggregateFunction function = AggregateFunction::kCountStar;
  std::vector<int> args;
  bool distinct = false;
  std::optional<int> filter;
  SqlType type;
};

void ToProto(const Expr& expr, v1::Expr* out);
absl::StatusOr<ExprPtr> FromProto(const v1::Expr& proto);
void ToProto(const SortKey& key, v1::SortKey* out);
absl::StatusOr<SortKey> FromProto(const v1::SortKey& proto);
void ToProto(const AggregateCall& call, v1::AggregateCall* out);
absl::StatusOr<AggregateCall> FromProto(const v1::AggregateCall& proto);

}  // namespace millrace
