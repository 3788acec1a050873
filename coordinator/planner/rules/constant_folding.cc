#include "coordinator/planner/rules/constant_folding.h"

#include <algorithm>
#include <utility>

#include "common/expr/function_registry.h"
#include "coordinator/planner/rules/date_comparison.h"
#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

ExprPtr WithArgs(const Expr& expr, std::vector<ExprPtr> args) {
  auto copy = std::make_shared<Expr>(expr);
  copy->args = std::move(args);
  return copy;
}

ExprPtr TypedNull(const SqlType& type, int32_t position) {
  return MakeLiteral(Value::Null(type), position);
}

// AND drops TRUE and is FALSE with any FALSE in it, as in PostgreSQL also where another argument
// would fail. OR likewise, with `neutral` and its opposite.
ExprPtr FoldLogic(const ExprPtr& call, bool neutral) {
  std::vector<ExprPtr> kept;
  for (const ExprPtr& arg : call->args) {
    const bool* value =
        arg->kind == ExprKind::kLiteral ? std::get_if<bool>(&arg->literal.value) : nullptr;
    if (value == nullptr) {
      kept.push_back(arg);
    } else if (*value != neutral) {
      return MakeBoolean(!neutral);
    }
  }
  if (kept.empty()) return MakeBoolean(neutral);
  if (kept.size() == 1) return kept[0];
  return kept.size() == call->args.size() ? call : WithArgs(*call, std::move(kept));
}

// COALESCE ends at its first constant that is not NULL; NULL constants before it go.
ExprPtr FoldCoalesce(const ExprPtr& call) {
  std::vector<ExprPtr> kept;
  for (const ExprPtr& arg : call->args) {
    const bool literal = arg->kind == ExprKind::kLiteral;
    if (literal && arg->literal.is_null()) continue;
    kept.push_back(arg);
    if (literal) break;
  }
  if (kept.empty()) return TypedNull(call->type, call->position);
  if (kept.size() == 1 && kept[0]->type == call->type) return kept[0];
  return kept.size() == call->args.size() ? call : WithArgs(*call, std::move(kept));
}

// Branches that are never taken go; what follows a branch that is always taken goes too.
ExprPtr FoldCase(const ExprPtr& expr) {
  std::vector<ExprPtr> kept;
  ExprPtr otherwise = expr->args.back();
  for (size_t i = 0; i + 1 < expr->args.size(); i += 2) {
    if (IsFalseOrNullLiteral(*expr->args[i])) continue;
    if (IsTrueLiteral(*expr->args[i])) {
      otherwise = expr->args[i + 1];
      break;
    }
    kept.push_back(expr->args[i]);
    kept.push_back(expr->args[i + 1]);
  }
  if (kept.empty() && otherwise->type == expr->type) return otherwise;
  if (kept.empty()) return expr;
  kept.push_back(std::move(otherwise));
  return kept.size() == expr->args.size() ? expr : WithArgs(*expr, std::move(kept));
}

ExprPtr FoldNode(const ExprPtr& expr) {
  if (expr->kind == ExprKind::kCase) return FoldCase(expr);
  if (expr->kind == ExprKind::kCall) {
    const absl::string_view name = FunctionName(*expr);
    if (name == "and") return FoldLogic(expr, /*neutral=*/true);
    if (name == "or") return FoldLogic(expr, /*neutral=*/false);
    if (name == "coalesce") return FoldCoalesce(expr);
    return SimplifyDateComparison(expr);
  }
  return expr;
}

LogicalPtr FoldFilter(const LogicalPtr& node) {
  const auto& filter = As<LogicalFilter>(*node);
  if (IsTrueLiteral(*filter.predicate)) return filter.inputs[0];
  if (IsFalseOrNullLiteral(*filter.predicate)) return MakeNoRows(filter.output);
  return node;
}

// The one row without columns that stands for a missing FROM.
bool IsOneBareRow(const LogicalNode& node) {
  return node.kind == LogicalKind::kValues && node.output.empty() &&
         As<LogicalValues>(node).rows.size() == 1;
}

LogicalPtr FoldJoin(const LogicalPtr& node) {
  const auto& join = As<LogicalJoin>(*node);
  if (join.type == JoinType::kInner) {
    for (const int side : {0, 1}) {
      if (!IsOneBareRow(*join.inputs[side])) continue;
      const LogicalPtr& other = join.inputs[1 - side];
      return join.condition == nullptr ? other : MakeFilter(other, {join.condition});
    }
  }
  if (join.condition == nullptr) return node;
  if (join.type == JoinType::kInner && IsFalseOrNullLiteral(*join.condition)) {
    return MakeNoRows(join.output);
  }
  if (!IsTrueLiteral(*join.condition)) return node;
  auto copy = std::make_shared<LogicalJoin>(join);
  copy->condition = nullptr;
  return copy;
}

// A projection over constant rows is computed into them.
LogicalPtr FoldProject(const LogicalPtr& node) {
  const auto& project = As<LogicalProject>(*node);
  if (project.inputs[0]->kind != LogicalKind::kValues || project.exprs.empty()) return node;
  const auto& input = As<LogicalValues>(*project.inputs[0]);
  auto values = std::make_shared<LogicalValues>();
  values->output = project.output;
  if (GivesNoRows(input)) return values;
  std::vector<std::vector<ExprPtr>> rows = input.rows;
  // More rows would copy the expressions, and an error would come before the rows that precede it.
  if (rows.size() > 1) return node;
  // A volatile value that is used twice must be the same both times.
  if (std::any_of(rows[0].begin(), rows[0].end(), [](const auto& e) { return IsVolatile(*e); })) {
    return node;
  }
  std::vector<ExprPtr> row;
  for (const ExprPtr& expr : project.exprs) {
    row.push_back(FoldConstantsInExpr(ReplaceColumns(expr, rows[0])));
  }
  values->rows.push_back(std::move(row));
  return values;
}

}  // namespace

ExprPtr FoldConstantsInExpr(const ExprPtr& expr) {
  if (IsTrivial(*expr)) return expr;
  std::vector<ExprPtr> args;
  args.reserve(expr->args.size());
  for (const ExprPtr& arg : expr->args) args.push_back(FoldConstantsInExpr(arg));
  const ExprPtr folded = FoldNode(args == expr->args ? expr : WithArgs(*expr, std::move(args)));
  if (IsTrivial(*folded) || !IsConstant(*folded)) return folded;
  absl::StatusOr<Value> value = EvaluateConstant(*folded);
  if (!value.ok()) return folded;
  // repeat('a', 1000000000) is better made where it is needed than sent around in plans.
  constexpr size_t kMaxFoldedBytes = size_t{64} << 10;
  const auto* text = std::get_if<std::string>(&value->value);
  if (text != nullptr && text->size() > kMaxFoldedBytes) return folded;
  value->type = folded->type;
  return MakeLiteral(*std::move(value), folded->position);
}

LogicalPtr FoldConstants(const LogicalPtr& node) {
  return RewriteBottomUp(node, [](const LogicalPtr& visited) {
    const LogicalPtr folded = WithExprs(visited, FoldConstantsInExpr);
    switch (folded->kind) {
      case LogicalKind::kFilter:
        return FoldFilter(folded);
      case LogicalKind::kJoin:
        return FoldJoin(folded);
      case LogicalKind::kProject:
        return FoldProject(folded);
      default:
        return folded;
    }
  });
}

}  // namespace millrace
