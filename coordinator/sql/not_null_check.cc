#include "coordinator/sql/not_null_check.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/internal_calls.h"
#include "coordinator/logical_plan/new_node.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// The expression itself where it is a constant.
absl::StatusOr<ExprPtr> Checked(const ExprPtr& value, const v1::CatalogObject& table,
                                uint32_t column, int32_t position) {
  const std::string& name = table.columns(static_cast<int>(column)).name();
  const int32_t where = value->position != 0 ? value->position : position;
  if (value->kind != ExprKind::kLiteral) {
    return BuildNotNullCheck(value, name, table.name(), where);
  }
  if (!value->literal.is_null()) return value;
  return WithPosition(MakeError(SqlState::kNotNullViolation,
                                absl::StrCat("null value in column \"", name, "\" of relation \"",
                                             table.name(), "\" violates not-null constraint")),
                      where);
}

}  // namespace

absl::StatusOr<LogicalPtr> WithNotNullChecks(LogicalPtr plan, const v1::CatalogObject& table,
                                             int32_t position) {
  if (table.not_null_columns().empty()) return plan;
  if (plan->kind == LogicalKind::kValues) {
    std::vector<std::vector<ExprPtr>> rows = static_cast<const LogicalValues&>(*plan).rows;
    for (std::vector<ExprPtr>& row : rows) {
      for (const uint32_t column : table.not_null_columns()) {
        MR_ASSIGN_OR_RETURN(row[column], Checked(row[column], table, column, position));
      }
    }
    return NewValues(plan->output, std::move(rows));
  }
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (size_t i = 0; i < plan->output.size(); ++i) {
    exprs.push_back(MakeColumn(static_cast<int>(i), plan->output[i].type));
    names.push_back(plan->output[i].name);
  }
  // What is known of a projection's columns is known now: a column that the statement leaves out.
  const auto* projection = plan->kind == LogicalKind::kProject
                               ? static_cast<const LogicalProject*>(plan.get())
                               : nullptr;
  for (const uint32_t column : table.not_null_columns()) {
    const ExprPtr& source = projection == nullptr ? exprs[column] : projection->exprs[column];
    if (source->kind == ExprKind::kLiteral && !source->literal.is_null()) continue;
    MR_ASSIGN_OR_RETURN(exprs[column], Checked(exprs[column], table, column, position));
  }
  return NewProject(std::move(plan), std::move(exprs), names);
}

}  // namespace millrace
