#include "coordinator/planner/rules/date_comparison.h"

#include <string>
#include <utility>

#include "common/expr/function_registry.h"
#include "coordinator/planner/rules/expr_traits.h"

namespace millrace {
namespace {

constexpr int64_t kMicrosPerDay = int64_t{86400} * 1000000;

bool IsDateAsTimestamp(const Expr& expr) {
  return expr.kind == ExprKind::kCast && expr.type.id == TypeId::kTimestamp &&
         expr.args[0]->type.id == TypeId::kDate;
}

bool IsTimestampLiteral(const Expr& expr) {
  return expr.kind == ExprKind::kLiteral && expr.type.id == TypeId::kTimestamp &&
         std::holds_alternative<int64_t>(expr.literal.value);
}

// The operator that says the same with its sides exchanged.
std::string Mirrored(const std::string& op) {
  if (op == "<") return ">";
  if (op == "<=") return ">=";
  if (op == ">") return "<";
  return op == ">=" ? "<=" : op;
}

std::string OperatorOf(absl::string_view function) {
  if (function == "eq") return "=";
  if (function == "ne") return "<>";
  if (function == "lt") return "<";
  if (function == "le") return "<=";
  return function == "gt" ? ">" : ">=";
}

// The operator for `date op day`, where `day` is the day of the timestamp; empty if there is none.
std::string OperatorForDay(const std::string& op, bool at_midnight) {
  if (at_midnight || op == "<=" || op == ">") return op;
  // Within a day: only later days are after it, that day itself is before it.
  if (op == "<") return "<=";
  return op == ">=" ? ">" : "";
}

}  // namespace

ExprPtr SimplifyDateComparison(const ExprPtr& expr) {
  if (!IsComparison(*expr)) return expr;
  ExprPtr date = expr->args[0];
  ExprPtr literal = expr->args[1];
  std::string op = OperatorOf(FunctionName(*expr));
  if (IsDateAsTimestamp(*literal)) {
    std::swap(date, literal);
    op = Mirrored(op);
  }
  if (!IsDateAsTimestamp(*date) || !IsTimestampLiteral(*literal)) return expr;
  const int64_t micros = std::get<int64_t>(literal->literal.value);
  int64_t day = micros / kMicrosPerDay;
  if (micros % kMicrosPerDay < 0) --day;
  op = OperatorForDay(op, micros % kMicrosPerDay == 0);
  if (op.empty()) return expr;
  const ExprPtr day_literal =
      MakeLiteral(Value{SqlType::Of(TypeId::kDate), day}, literal->position);
  absl::StatusOr<ExprPtr> simpler = BuildOperator(op, {date->args[0], day_literal}, expr->position);
  return simpler.ok() ? *std::move(simpler) : expr;
}

}  // namespace millrace
