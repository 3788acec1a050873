#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "common/expr/evaluator.h"
#include "common/expr/expr.h"
#include "common/expr/function_registry.h"
#include "common/types/text_format.h"
#include "tests/support/status_matchers.h"

// Short names for building expressions in tests; what fails to build ends the test.

namespace millrace {

inline SqlType T(TypeId id) { return SqlType::Of(id); }
inline ExprPtr Int(int64_t value) { return MakeLiteral(Value{T(TypeId::kInt32), value}); }
inline ExprPtr BigInt(int64_t value) { return MakeLiteral(Value{T(TypeId::kInt64), value}); }
inline ExprPtr Real(double value) { return MakeLiteral(Value{T(TypeId::kFloat64), value}); }
// A quoted literal without a type.
inline ExprPtr Quoted(const std::string& text) { return MakeLiteral(Value{SqlType(), text}); }
inline ExprPtr Null() { return MakeLiteral(Value::Null(SqlType())); }

inline ExprPtr Unwrap(absl::StatusOr<ExprPtr> expr) {
  EXPECT_TRUE(expr.ok()) << expr.status().ToString();
  return expr.ok() ? *expr : Null();
}

inline ExprPtr Cast(ExprPtr expr, SqlType type) {
  return Unwrap(BuildCast(std::move(expr), type, CastContext::kExplicit, 0));
}
inline ExprPtr Text(const std::string& text) { return Cast(Quoted(text), T(TypeId::kText)); }
inline ExprPtr Number(const std::string& text) {
  return Cast(Quoted(text), SqlType::Numeric(0, kUnconstrainedNumericScale));
}
inline ExprPtr Fn(const std::string& name, std::vector<ExprPtr> args) {
  return Unwrap(BuildFunctionCall(name, std::move(args), 0));
}
inline ExprPtr Op(const std::string& op, ExprPtr left, ExprPtr right) {
  return Unwrap(BuildOperator(op, {std::move(left), std::move(right)}, 0));
}
inline ExprPtr Op(const std::string& op, ExprPtr arg) {
  return Unwrap(BuildOperator(op, {std::move(arg)}, 0));
}

// The text of a constant expression, "NULL", or "ERROR " and the SQLSTATE.
inline std::string Eval(const ExprPtr& expr) {
  const auto value = EvaluateConstant(*expr);
  if (!value.ok()) {
    return "ERROR " + std::string(SqlStateCode(GetErrorDetail(value.status()).state));
  }
  return ValueText(*value);
}

// The rows of a column as text, separated by blanks; NULL rows as "NULL".
inline std::string ColumnText(const arrow::Array& array, const SqlType& type) {
  std::string out;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (row > 0) out += ' ';
    if (array.type_id() == arrow::Type::NA || array.IsNull(row)) {
      out += "NULL";
    } else {
      AppendValueText(array, row, type, &out);
    }
  }
  return out;
}

// The value of `expr` on a batch, as ColumnText, or "ERROR " and the SQLSTATE.
inline std::string EvalOn(const ExprPtr& expr, const Schema& schema, const Batch& batch) {
  auto evaluator = Evaluator::Create({expr}, schema, EvalContext());
  if (!evaluator.ok()) return evaluator.status().ToString();
  const auto arrays = (*evaluator)->Evaluate(batch);
  if (!arrays.ok()) {
    return "ERROR " + std::string(SqlStateCode(GetErrorDetail(arrays.status()).state));
  }
  return ColumnText(*(*arrays)[0], expr->type);
}

}  // namespace millrace
