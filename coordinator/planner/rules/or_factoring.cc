#include "coordinator/planner/rules/or_factoring.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/expr/function_registry.h"
#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

bool IsOr(const Expr& expr) { return expr.kind == ExprKind::kCall && FunctionName(expr) == "or"; }

void CollectBranches(const ExprPtr& expr, std::vector<ExprPtr>* branches) {
  if (!IsOr(*expr)) {
    branches->push_back(expr);
    return;
  }
  for (const ExprPtr& arg : expr->args) CollectBranches(arg, branches);
}

ExprPtr MakeOr(std::vector<ExprPtr> branches, int32_t position) {
  if (branches.size() == 1) return branches[0];
  absl::StatusOr<ExprPtr> built = BuildOr(std::move(branches), position);
  return built.ok() ? *built : nullptr;
}

bool Contains(const std::vector<ExprPtr>& exprs, const Expr& wanted) {
  return std::any_of(exprs.begin(), exprs.end(),
                     [&](const ExprPtr& expr) { return SameExpr(*expr, wanted); });
}

// `conjuncts` without those in `removed`; TRUE if none is left.
ExprPtr Without(const std::vector<ExprPtr>& conjuncts, const std::vector<ExprPtr>& removed) {
  std::vector<ExprPtr> kept;
  for (const ExprPtr& conjunct : conjuncts) {
    if (!Contains(removed, *conjunct)) kept.push_back(conjunct);
  }
  return kept.empty() ? MakeBoolean(true) : MakeConjunction(kept);
}

// The conjuncts that all branches have, then the OR of what is left; `predicate` alone if they
// share nothing.
std::vector<ExprPtr> Factor(const ExprPtr& predicate) {
  if (!IsOr(*predicate) || IsVolatile(*predicate)) return {predicate};
  std::vector<ExprPtr> branches;
  CollectBranches(predicate, &branches);
  std::vector<std::vector<ExprPtr>> conjuncts;
  for (const ExprPtr& branch : branches) conjuncts.push_back(SplitConjunction(branch));
  std::vector<ExprPtr> common;
  for (const ExprPtr& candidate : conjuncts[0]) {
    // A shared condition comes first afterwards, so it must not fail where an earlier one of its
    // branch guarded it.
    const bool shared = FailureOf(*candidate) != Failure::kData &&
                        std::all_of(conjuncts.begin() + 1, conjuncts.end(),
                                    [&](const auto& list) { return Contains(list, *candidate); });
    if (shared && !Contains(common, *candidate)) common.push_back(candidate);
  }
  if (common.empty()) return {predicate};
  std::vector<ExprPtr> rest;
  for (const auto& list : conjuncts) {
    rest.push_back(Without(list, common));
    if (IsTrueLiteral(*rest.back())) return common;
  }
  ExprPtr weaker = MakeOr(std::move(rest), predicate->position);
  if (weaker == nullptr) return {predicate};
  common.push_back(std::move(weaker));
  return common;
}

}  // namespace

ExprPtr FactorOr(const ExprPtr& predicate) {
  std::vector<ExprPtr> factored;
  for (const ExprPtr& conjunct : SplitConjunction(predicate)) {
    for (ExprPtr& part : Factor(conjunct)) factored.push_back(std::move(part));
  }
  return MakeConjunction(factored);
}

std::optional<ExprPtr> ImpliedByOr(const ExprPtr& predicate, int begin, int end) {
  if (!IsOr(*predicate) || IsVolatile(*predicate)) return std::nullopt;
  std::vector<ExprPtr> branches;
  CollectBranches(predicate, &branches);
  std::vector<ExprPtr> implied;
  for (const ExprPtr& branch : branches) {
    std::vector<ExprPtr> kept;
    for (const ExprPtr& conjunct : SplitConjunction(branch)) {
      const bool usable = ColumnsWithin(*conjunct, begin, end) && !IsConstant(*conjunct) &&
                          FailureOf(*conjunct) == Failure::kNever;
      if (usable) kept.push_back(conjunct);
    }
    if (kept.empty()) return std::nullopt;
    implied.push_back(MakeConjunction(kept));
  }
  ExprPtr weaker = MakeOr(std::move(implied), predicate->position);
  if (weaker == nullptr) return std::nullopt;
  return weaker;
}

}  // namespace millrace
