#include "coordinator/sql/expr_rewrite.h"

#include <utility>

#include "common/base/status.h"
#include "coordinator/sql/query_environment.h"

namespace millrace {

ExprPtr WithArguments(const Expr& expr, std::vector<ExprPtr> args) {
  auto copy = std::make_shared<Expr>(expr);
  copy->args = std::move(args);
  return copy;
}

absl::StatusOr<ExprPtr> RewriteExpr(
    const ExprPtr& expr, absl::FunctionRef<absl::StatusOr<ExprPtr>(const ExprPtr&)> replace) {
  MR_ASSIGN_OR_RETURN(ExprPtr replaced, replace(expr));
  if (replaced != nullptr) return replaced;
  if (expr->args.empty()) return expr;
  std::vector<ExprPtr> args;
  args.reserve(expr->args.size());
  bool changed = false;
  for (const ExprPtr& arg : expr->args) {
    MR_ASSIGN_OR_RETURN(ExprPtr rewritten, RewriteExpr(arg, replace));
    changed |= rewritten != arg;
    args.push_back(std::move(rewritten));
  }
  return changed ? WithArguments(*expr, std::move(args)) : expr;
}

ExprPtr ResolvePlaceholders(const ExprPtr& expr, int base, const std::vector<ExprPtr>& columns) {
  if (columns.empty()) return expr;
  const auto resolve = [&](const ExprPtr& part) -> absl::StatusOr<ExprPtr> {
    const int index = part->column_index - base;
    const bool ours = part->kind == ExprKind::kColumn && index >= 0 &&
                      static_cast<size_t>(index) < columns.size();
    return ours ? columns[index] : ExprPtr();
  };
  // `resolve` has no errors.
  return *RewriteExpr(expr, resolve);
}

bool UsesColumns(const Expr& expr, int begin, int end) {
  bool found = false;
  ForEachColumn(expr, [&](int column) { found |= column >= begin && column < end; });
  return found;
}

}  // namespace millrace
