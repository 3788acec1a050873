#include "coordinator/sql/correlation.h"

#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "common/base/status.h"
#include "coordinator/sql/expr_rewrite.h"

namespace millrace {
namespace {

bool IsOuter(int column) {
  return column >= kOuterColumnBase && column < kOuterColumnBase + kPlaceholderStep;
}

// All columns are outer ones, and there is one.
bool IsOuterSide(const Expr& expr) {
  bool any = false;
  bool all = true;
  ForEachColumn(expr, [&](int column) {
    any = true;
    all &= IsOuter(column);
  });
  return any && all;
}

absl::Status Refuse(const Expr& conjunct) {
  return WithPosition(
      WithHint(NotSupported("this condition of a correlated subquery that aggregates"),
               "It takes equalities between a column of the subquery and one of the query around."),
      conjunct.position);
}

}  // namespace

bool UsesOuterColumns(const Expr& expr) {
  return UsesColumns(expr, kOuterColumnBase, kOuterColumnBase + kPlaceholderStep);
}

absl::StatusOr<CorrelationKeys> SplitEqualities(const std::vector<ExprPtr>& conjuncts) {
  CorrelationKeys result;
  for (const ExprPtr& conjunct : conjuncts) {
    const bool equality = conjunct->kind == ExprKind::kCall && conjunct->args.size() == 2 &&
                          absl::StartsWith(conjunct->function, "eq(");
    if (!equality) return Refuse(*conjunct);
    const size_t inner = IsOuterSide(*conjunct->args[0]) ? 1 : 0;
    const bool sides =
        IsOuterSide(*conjunct->args[1 - inner]) && !UsesOuterColumns(*conjunct->args[inner]);
    if (!sides) return Refuse(*conjunct);
    const ExprPtr& key = conjunct->args[inner];
    std::vector<ExprPtr> args = conjunct->args;
    args[inner] = MakeColumn(kInputSubqueryBase + static_cast<int>(result.keys.size()), key->type,
                             key->position);
    result.keys.push_back(key);
    result.conjuncts.push_back(WithArguments(*conjunct, std::move(args)));
  }
  return result;
}

std::vector<ExprPtr> ExportColumns(std::vector<ExprPtr>* conjuncts, int first_exported) {
  std::vector<ExprPtr> exported;
  const auto place = [&](const ExprPtr& part) -> absl::StatusOr<ExprPtr> {
    if (part->kind != ExprKind::kColumn || IsOuter(part->column_index)) return ExprPtr();
    size_t i = 0;
    while (i < exported.size() && exported[i]->column_index != part->column_index) ++i;
    if (i == exported.size()) exported.push_back(part);
    return MakeColumn(first_exported + static_cast<int>(i), part->type, part->position);
  };
  for (ExprPtr& conjunct : *conjuncts) {
    // `place` has no errors.
    conjunct = *RewriteExpr(conjunct, place);
  }
  return exported;
}

}  // namespace millrace
