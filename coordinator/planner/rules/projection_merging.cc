#include "coordinator/planner/rules/projection_merging.h"

#include <vector>

#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

// Every expression of `inner` that costs something is used at most once by `outer`, and none that
// is used is volatile.
bool MayMerge(const LogicalProject& outer, const LogicalProject& inner) {
  std::vector<int> uses(inner.exprs.size(), 0);
  for (const ExprPtr& expr : outer.exprs) {
    ForEachColumn(*expr, [&](int column) { ++uses[column]; });
  }
  for (size_t i = 0; i < uses.size(); ++i) {
    if (IsVolatile(*inner.exprs[i])) return false;
    if (uses[i] > 1 && !IsTrivial(*inner.exprs[i])) return false;
  }
  return true;
}

LogicalPtr MergeOne(const LogicalPtr& node) {
  const auto& outer = As<LogicalProject>(*node);
  if (IsIdentity(outer)) return outer.inputs[0];
  if (outer.inputs[0]->kind != LogicalKind::kProject) return node;
  const auto& inner = As<LogicalProject>(*outer.inputs[0]);
  if (!MayMerge(outer, inner)) return node;
  std::vector<ExprPtr> exprs;
  for (const ExprPtr& expr : outer.exprs) exprs.push_back(ReplaceColumns(expr, inner.exprs));
  const LogicalPtr merged = MakeProject(inner.inputs[0], std::move(exprs), outer.output);
  return IsIdentity(As<LogicalProject>(*merged)) ? merged->inputs[0] : merged;
}

}  // namespace

bool IsIdentity(const LogicalProject& project) {
  if (Width(project) != Width(*project.inputs[0])) return false;
  for (size_t i = 0; i < project.exprs.size(); ++i) {
    const Expr& expr = *project.exprs[i];
    if (expr.kind != ExprKind::kColumn || expr.column_index != static_cast<int>(i)) return false;
  }
  return true;
}

LogicalPtr MergeProjections(const LogicalPtr& node) {
  return RewriteBottomUp(node, [](const LogicalPtr& visited) {
    return visited->kind == LogicalKind::kProject ? MergeOne(visited) : visited;
  });
}

}  // namespace millrace
