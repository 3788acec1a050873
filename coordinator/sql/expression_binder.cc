#include "coordinator/sql/expression_binder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"

namespace millrace {

absl::string_view ClauseName(Clause clause) {
  switch (clause) {
    case Clause::kSelect:
      return "SELECT";
    case Clause::kHaving:
      return "HAVING";
    case Clause::kOrderBy:
      return "ORDER BY";
    case Clause::kWindow:
      return "window definitions";
    case Clause::kWhere:
      return "WHERE";
    case Clause::kJoin:
      return "JOIN conditions";
    case Clause::kGroupBy:
      return "GROUP BY";
    case Clause::kFilter:
      return "FILTER";
    case Clause::kLimit:
      return "LIMIT";
    case Clause::kOffset:
      return "OFFSET";
    case Clause::kValues:
      return "VALUES";
    case Clause::kFromFunction:
      return "functions in FROM";
    case Clause::kWatermark:
      return "a watermark";
    case Clause::kCall:
      return "CALL arguments";
    case Clause::kFrame:
      return "window frames";
    case Clause::kDefault:
      return "DEFAULT expressions";
  }
  return "this clause";
}

bool ExpressionBinder::below_aggregation() const {
  return inside_aggregate_ || clause_ == Clause::kWhere || clause_ == Clause::kGroupBy ||
         clause_ == Clause::kValues || clause_ == Clause::kFilter;
}

bool ExpressionBinder::may_correlate() const {
  return below_aggregation() || clause_ == Clause::kSelect || clause_ == Clause::kHaving ||
         clause_ == Clause::kOrderBy;
}

absl::Status ExpressionBinder::Refuse(absl::string_view what, int32_t location) const {
  return WithPosition(NotSupported(what), PositionOf(location));
}

absl::StatusOr<ExprPtr> ExpressionBinder::Bind(const PgQuery__Node* node) {
  if (node == nullptr) return InternalError("an expression is missing in the parse tree");
  DepthGuard guard(environment_.session);
  MR_RETURN_IF_ERROR(WithPosition(guard.Check(), PositionOf(LocationOf(node))));
  return BindNode(*node);
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindBoolean(const PgQuery__Node* node,
                                                      absl::string_view what) {
  MR_ASSIGN_OR_RETURN(ExprPtr expr, Bind(node));
  const SqlType boolean = SqlType::Of(TypeId::kBoolean);
  if (expr->type.id == TypeId::kBoolean) return expr;
  const int32_t position = PositionOf(LocationOf(node));
  if (expr->type.id == TypeId::kUnknown) {
    return millrace::BuildCast(expr, boolean, CastContext::kImplicit, position);
  }
  return WithPosition(
      MakeError(SqlState::kDatatypeMismatch,
                absl::StrCat(what, " must be type boolean, not type ", TypeName(expr->type))),
      position);
}

absl::StatusOr<std::vector<ExprPtr>> ExpressionBinder::BindAll(PgQuery__Node* const* nodes,
                                                               size_t count) {
  std::vector<ExprPtr> exprs;
  exprs.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    MR_ASSIGN_OR_RETURN(ExprPtr expr, Bind(nodes[i]));
    exprs.push_back(std::move(expr));
  }
  return exprs;
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindNode(const PgQuery__Node& node) {
  switch (node.node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
      return BindColumn(*node.column_ref);
    case PG_QUERY__NODE__NODE_A_CONST:
      return BindLiteral(*node.a_const, PositionOf(node.a_const->location));
    case PG_QUERY__NODE__NODE_A_EXPR:
      return BindOperatorExpr(*node.a_expr);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
      return BindBoolExpr(*node.bool_expr);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
      return BindFunction(*this, *node.func_call);
    case PG_QUERY__NODE__NODE_TYPE_CAST:
      return BindCast(*node.type_cast);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
      return BindCase(*node.case_expr);
    case PG_QUERY__NODE__NODE_SUB_LINK:
      return BindSubLink(*this, *node.sub_link);
    case PG_QUERY__NODE__NODE_NULL_TEST:
      return BindNullTest(*node.null_test);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
      return BindBooleanTest(*node.boolean_test);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
      return BindNamedForm("coalesce", node.coalesce_expr->args, node.coalesce_expr->n_args,
                           node.coalesce_expr->location);
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
      return BindNamedForm(
          node.min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_LEAST ? "least" : "greatest",
          node.min_max_expr->args, node.min_max_expr->n_args, node.min_max_expr->location);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
      return BindValueFunction(*node.sqlvalue_function);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
      return BindCollate(*node.collate_clause);
    default:
      return BindRareNode(node);
  }
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindRareNode(const PgQuery__Node& node) {
  const int32_t location = LocationOf(&node);
  switch (node.node_case) {
    case PG_QUERY__NODE__NODE_ROW_EXPR:
      return Refuse("a row value", location);
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
      return Refuse("an array", location);
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
      return Refuse("a subscript or a field of a row", location);
    case PG_QUERY__NODE__NODE_PARAM_REF:
      return WithPosition(
          MakeError(SqlState::kUndefinedParameter,
                    absl::StrCat("there is no parameter $", node.param_ref->number)),
          PositionOf(location));
    case PG_QUERY__NODE__NODE_NAMED_ARG_EXPR:
      return Refuse("an argument by name", location);
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
      return Refuse("GROUPING", location);
    case PG_QUERY__NODE__NODE_SET_TO_DEFAULT:
      return WithPosition(
          MakeError(SqlState::kSyntaxError, "DEFAULT is not allowed in this context"),
          PositionOf(location));
    case PG_QUERY__NODE__NODE_XML_EXPR:
    case PG_QUERY__NODE__NODE_XML_SERIALIZE:
      return Refuse("XML", location);
    default:
      return Refuse("this kind of expression", location);
  }
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindColumn(const PgQuery__ColumnRef& ref) {
  const ParseNodes fields = Nodes(ref.n_fields, ref.fields);
  const int32_t position = PositionOf(ref.location);
  if (fields.empty() || IsNode(fields.back(), PG_QUERY__NODE__NODE_A_STAR)) {
    return Refuse(fields.size() > 1 ? "a whole row as a value" : "* as a value", ref.location);
  }
  constexpr size_t kSchemaTableColumn = 3;
  switch (fields.size()) {
    case 1:
      return BindName(StringOf(fields[0]), position);
    case 2:
      return BindQualified(StringOf(fields[0]), StringOf(fields[1]), position);
    case kSchemaTableColumn:
      if (StringOf(fields[0]) == "public" || StringOf(fields[0]) == "millrace") {
        return BindQualified(StringOf(fields[1]), StringOf(fields[2]), position);
      }
      return scope_.UndefinedQualifier(
          absl::StrCat(std::string(StringOf(fields[0])), ".", std::string(StringOf(fields[1]))),
          position);
    default:
      if (fields.size() == kSchemaTableColumn + 1) {
        return Refuse("a reference to another database", ref.location);
      }
      return WithPosition(
          MakeError(SqlState::kSyntaxError,
                    absl::StrCat("improper qualified name (too many dotted names): ",
                                 absl::StrJoin(StringsOf(fields), "."))),
          position);
  }
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindName(absl::string_view name, int32_t position) {
  MR_ASSIGN_OR_RETURN(ExprPtr found, scope_.Find(name, position));
  if (found != nullptr) return found;
  MR_ASSIGN_OR_RETURN(found, FindOuter("", name, position));
  if (found != nullptr) return found;
  if (scope_.FindItem(name) != nullptr) {
    return WithPosition(NotSupported("a whole row as a value"), position);
  }
  return scope_.UndefinedColumn("", name, position);
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindQualified(absl::string_view qualifier,
                                                        absl::string_view name, int32_t position) {
  MR_ASSIGN_OR_RETURN(ExprPtr found, scope_.Find(qualifier, name, position));
  if (found != nullptr) return found;
  if (scope_.FindItem(qualifier) != nullptr) {
    return scope_.UndefinedColumn(qualifier, name, position);
  }
  MR_ASSIGN_OR_RETURN(found, FindOuter(qualifier, name, position));
  if (found != nullptr) return found;
  return scope_.UndefinedQualifier(qualifier, position);
}

absl::StatusOr<ExprPtr> ExpressionBinder::FindOuter(absl::string_view qualifier,
                                                    absl::string_view name, int32_t position) {
  for (const OuterQuery* outer = environment_.outer; outer != nullptr; outer = outer->next) {
    ExprPtr found;
    if (qualifier.empty()) {
      MR_ASSIGN_OR_RETURN(found, outer->scope->Find(name, position));
    } else {
      MR_ASSIGN_OR_RETURN(found, outer->scope->Find(qualifier, name, position));
    }
    if (found == nullptr) continue;
    const bool usable = outer == environment_.outer && outer->correlation != nullptr &&
                        clause_ == Clause::kWhere && found->kind == ExprKind::kColumn;
    if (usable) return MakeColumn(kOuterColumnBase + found->column_index, found->type, position);
    return WithPosition(NotSupported(absl::StrCat("this correlated subquery (column \"", name,
                                                  "\" belongs to the query around it)")),
                        position);
  }
  return ExprPtr();
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindCast(const PgQuery__TypeCast& cast) {
  const int32_t arg_position = PositionOf(LocationOf(cast.arg));
  MR_ASSIGN_OR_RETURN(ExprPtr interval,
                      BindIntervalWithFields(*cast.type_name, *cast.arg, arg_position));
  if (interval != nullptr) return interval;
  MR_ASSIGN_OR_RETURN(const SqlType type, BindTypeName(*cast.type_name, environment_));
  MR_ASSIGN_OR_RETURN(ExprPtr arg, Bind(cast.arg));
  const int32_t position = cast.location >= 0 ? PositionOf(cast.location) : arg_position;
  return BuildCast(std::move(arg), type, CastContext::kExplicit,
                   cast.arg->node_case == PG_QUERY__NODE__NODE_A_CONST ? arg_position : position);
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindNamedForm(absl::string_view name,
                                                        PgQuery__Node* const* args, size_t count,
                                                        int32_t location) {
  MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> bound, BindAll(args, count));
  return BuildFunctionCall(name, std::move(bound), PositionOf(location));
}

}  // namespace millrace
