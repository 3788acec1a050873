#include "common/expr/expr.h"

#include <utility>

#include "common/base/check.h"
#include "common/expr/function_catalog.h"

namespace millrace {
namespace {

constexpr char kAnd[] = "and";

ExprPtr WithArgs(const Expr& expr, std::vector<ExprPtr> args) {
  auto copy = std::make_shared<Expr>(expr);
  copy->args = std::move(args);
  return copy;
}

// Rebuilds `expr` with every column reference replaced by what `replace` returns for it; parts
// without columns are shared with the original.
template <typename Replace>
ExprPtr RewriteColumns(const ExprPtr& expr, const Replace& replace) {
  if (expr->kind == ExprKind::kColumn) return replace(expr);
  bool changed = false;
  std::vector<ExprPtr> args;
  args.reserve(expr->args.size());
  for (const ExprPtr& arg : expr->args) {
    args.push_back(RewriteColumns(arg, replace));
    changed |= args.back() != arg;
  }
  return changed ? WithArgs(*expr, std::move(args)) : expr;
}

void CollectConjuncts(const ExprPtr& expr, std::vector<ExprPtr>* out) {
  if (expr->kind == ExprKind::kCall && expr->function == kAnd) {
    for (const ExprPtr& arg : expr->args) CollectConjuncts(arg, out);
    return;
  }
  out->push_back(expr);
}

}  // namespace

ExprPtr MakeColumn(int index, SqlType type, int32_t position) {
  auto expr = std::make_shared<Expr>();
  expr->kind = ExprKind::kColumn;
  expr->type = type;
  expr->position = position;
  expr->column_index = index;
  return expr;
}

ExprPtr MakeLiteral(Value value, int32_t position) {
  auto expr = std::make_shared<Expr>();
  expr->kind = ExprKind::kLiteral;
  expr->type = value.type;
  expr->position = position;
  expr->literal = std::move(value);
  return expr;
}

ExprPtr MakeBoolean(bool value) { return MakeLiteral(Value{SqlType::Of(TypeId::kBoolean), value}); }

bool IsConstant(const Expr& expr) {
  if (expr.kind == ExprKind::kColumn) return false;
  if (expr.kind == ExprKind::kCall && !IsImmutableFunction(expr.function)) return false;
  for (const ExprPtr& arg : expr.args) {
    if (!IsConstant(*arg)) return false;
  }
  return expr.kind != ExprKind::kCast || IsImmutableCast(expr.args[0]->type, expr.type);
}

bool SameExpr(const Expr& a, const Expr& b) {
  if (&a == &b) return true;
  const bool same_node = a.kind == b.kind && a.type == b.type && a.function == b.function &&
                         a.args.size() == b.args.size();
  if (!same_node) return false;
  if (a.kind == ExprKind::kColumn && a.column_index != b.column_index) return false;
  if (a.kind == ExprKind::kLiteral && !(a.literal == b.literal)) return false;
  for (size_t i = 0; i < a.args.size(); ++i) {
    if (!SameExpr(*a.args[i], *b.args[i])) return false;
  }
  return true;
}

ExprPtr ReplaceColumns(const ExprPtr& expr, const std::vector<ExprPtr>& replacements) {
  return RewriteColumns(expr, [&](const ExprPtr& column) {
    MR_CHECK(column->column_index >= 0 &&
             static_cast<size_t>(column->column_index) < replacements.size());
    return replacements[column->column_index];
  });
}

ExprPtr RemapColumns(const ExprPtr& expr, const std::vector<int>& mapping) {
  return RewriteColumns(expr, [&](const ExprPtr& column) {
    MR_CHECK(column->column_index >= 0 &&
             static_cast<size_t>(column->column_index) < mapping.size());
    const int index = mapping[column->column_index];
    MR_CHECK(index >= 0);
    if (index == column->column_index) return column;
    return MakeColumn(index, column->type, column->position);
  });
}

std::vector<ExprPtr> SplitConjunction(const ExprPtr& predicate) {
  std::vector<ExprPtr> conjuncts;
  if (predicate != nullptr) CollectConjuncts(predicate, &conjuncts);
  return conjuncts;
}

ExprPtr MakeConjunction(const std::vector<ExprPtr>& conjuncts) {
  if (conjuncts.empty()) return nullptr;
  if (conjuncts.size() == 1) return conjuncts[0];
  auto expr = std::make_shared<Expr>();
  expr->kind = ExprKind::kCall;
  expr->type = SqlType::Of(TypeId::kBoolean);
  expr->position = conjuncts[0]->position;
  expr->function = kAnd;
  expr->args = conjuncts;
  return expr;
}

}  // namespace millrace
