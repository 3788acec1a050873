#include "coordinator/sql/cast_output.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "common/base/status.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/query_binder.h"

namespace millrace {
namespace {

bool IsUnknown(const SqlType& type) { return type.id == TypeId::kUnknown; }

template <typename Node>
std::shared_ptr<Node> CopyOf(const LogicalPtr& node) {
  return std::make_shared<Node>(static_cast<const Node&>(*node));
}

// Gives unknown columns the wanted type where their literals stand. Nodes that such a column can
// pass: below ORDER BY and LIMIT a projection or VALUES; everything else made its columns text.
absl::StatusOr<LogicalPtr> TypeUnknown(const LogicalPtr& plan, const std::vector<SqlType>& types,
                                       CastContext context) {
  const auto cast = [&](const ExprPtr& expr, size_t i) -> absl::StatusOr<ExprPtr> {
    if (!IsUnknown(expr->type)) return expr;
    return BuildCast(expr, types[i], context, expr->position);
  };
  const auto set_type = [&](LogicalNode& node) {
    for (size_t i = 0; i < types.size() && i < node.output.size(); ++i) {
      if (IsUnknown(node.output[i].type)) node.output[i].type = types[i];
    }
  };
  switch (plan->kind) {
    case LogicalKind::kProject: {
      auto node = CopyOf<LogicalProject>(plan);
      for (size_t i = 0; i < types.size() && i < node->exprs.size(); ++i) {
        if (node->exprs[i]->kind == ExprKind::kColumn && IsUnknown(node->exprs[i]->type)) {
          // A projection that only cuts off columns: the literals are below it.
          MR_ASSIGN_OR_RETURN(node->inputs[0], TypeUnknown(plan->inputs[0], types, context));
          const int column = node->exprs[i]->column_index;
          node->exprs[i] = MakeColumn(column, node->inputs[0]->output[column].type);
          continue;
        }
        MR_ASSIGN_OR_RETURN(node->exprs[i], cast(node->exprs[i], i));
      }
      set_type(*node);
      return LogicalPtr(node);
    }
    case LogicalKind::kValues: {
      auto node = CopyOf<LogicalValues>(plan);
      for (std::vector<ExprPtr>& row : node->rows) {
        for (size_t i = 0; i < row.size(); ++i) {
          MR_ASSIGN_OR_RETURN(row[i], cast(row[i], i));
        }
      }
      set_type(*node);
      return LogicalPtr(node);
    }
    case LogicalKind::kSort: {
      auto node = CopyOf<LogicalSort>(plan);
      MR_ASSIGN_OR_RETURN(node->inputs[0], TypeUnknown(plan->inputs[0], types, context));
      set_type(*node);
      return LogicalPtr(node);
    }
    case LogicalKind::kLimit: {
      auto node = CopyOf<LogicalLimit>(plan);
      MR_ASSIGN_OR_RETURN(node->inputs[0], TypeUnknown(plan->inputs[0], types, context));
      set_type(*node);
      return LogicalPtr(node);
    }
    default:
      return plan;
  }
}

}  // namespace

ExprPtr OutputExpr(const LogicalNode& plan, size_t index) {
  switch (plan.kind) {
    case LogicalKind::kProject: {
      const ExprPtr& expr = static_cast<const LogicalProject&>(plan).exprs[index];
      if (expr->kind != ExprKind::kColumn || expr->position != 0) return expr;
      return OutputExpr(*plan.inputs[0], expr->column_index);
    }
    case LogicalKind::kValues: {
      const auto& rows = static_cast<const LogicalValues&>(plan).rows;
      return rows.empty() ? nullptr : rows[0][index];
    }
    case LogicalKind::kSort:
    case LogicalKind::kLimit:
      return OutputExpr(*plan.inputs[0], index);
    default:
      return nullptr;
  }
}

absl::StatusOr<LogicalPtr> CastOutput(
    LogicalPtr plan, const std::vector<SqlType>& types, CastContext context,
    absl::FunctionRef<absl::Status(size_t, absl::Status)> explain) {
  const bool has_unknown = std::any_of(plan->output.begin(), plan->output.end(),
                                       [](const Field& field) { return IsUnknown(field.type); });
  if (has_unknown) {
    MR_ASSIGN_OR_RETURN(plan, TypeUnknown(plan, types, context));
  }
  bool changed = false;
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (size_t i = 0; i < types.size(); ++i) {
    const Field& field = plan->output[i];
    const ExprPtr source = OutputExpr(*plan, i);
    const int32_t position = source == nullptr ? 0 : source->position;
    ExprPtr column = MakeColumn(static_cast<int>(i), field.type, position);
    if (field.type != types[i]) {
      absl::StatusOr<ExprPtr> cast = BuildCast(std::move(column), types[i], context, position);
      if (!cast.ok()) return explain(i, cast.status());
      column = *std::move(cast);
      changed = true;
    }
    exprs.push_back(std::move(column));
    names.push_back(field.name);
  }
  if (!changed && types.size() == plan->output.size()) return plan;
  return NewProject(std::move(plan), std::move(exprs), names);
}

absl::StatusOr<LogicalPtr> CastOutput(LogicalPtr plan, const std::vector<SqlType>& types,
                                      CastContext context) {
  return CastOutput(std::move(plan), types, context,
                    [](size_t, absl::Status status) { return status; });
}

absl::StatusOr<LogicalPtr> ResolveUnknownColumns(LogicalPtr plan) {
  std::vector<SqlType> types;
  for (const Field& field : plan->output) {
    types.push_back(IsUnknown(field.type) ? SqlType::Of(TypeId::kText) : field.type);
  }
  return CastOutput(std::move(plan), types, CastContext::kImplicit);
}

}  // namespace millrace
