#include "coordinator/sql/query_binder.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/cast_output.h"
#include "coordinator/sql/order_and_limit.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/select_binder.h"
#include "coordinator/sql/set_operation.h"
#include "coordinator/sql/values_binder.h"

namespace millrace {
namespace {

bool HasTail(const PgQuery__SelectStmt& select) {
  return select.n_sort_clause > 0 || select.limit_count != nullptr ||
         select.limit_offset != nullptr || select.with_clause != nullptr;
}

// The members of a chain of UNIONs that one UNION ALL can hold: those of nested UNION ALLs, and of
// nested UNIONs of both kinds where the duplicates are removed at the end.
void CollectMembers(const PgQuery__SelectStmt& select, bool removes_duplicates,
                    std::vector<const PgQuery__SelectStmt*>* members) {
  for (const PgQuery__SelectStmt* side : {select.larg, select.rarg}) {
    const bool flat = side->op == PG_QUERY__SET_OPERATION__SETOP_UNION && !HasTail(*side) &&
                      (side->all || removes_duplicates);
    if (flat) {
      CollectMembers(*side, removes_duplicates, members);
    } else {
      members->push_back(side);
    }
  }
}

int32_t FirstPosition(const PgQuery__SelectStmt& select, const QueryEnvironment& environment) {
  const PgQuery__SelectStmt* leaf = &select;
  while (leaf->larg != nullptr) leaf = leaf->larg;
  if (leaf->n_values_lists > 0) {
    return environment.PositionOf(LocationOf(leaf->values_lists[0]));
  }
  return leaf->n_target_list == 0 ? 0 : environment.PositionOf(LocationOf(leaf->target_list[0]));
}

// The common type of column `index` of all members.
absl::StatusOr<SqlType> UnionType(const std::vector<LogicalPtr>& plans, size_t index,
                                  absl::string_view what) {
  std::vector<ExprPtr> exprs;
  for (const LogicalPtr& plan : plans) {
    const ExprPtr expr = OutputExpr(*plan, index);
    const SqlType type = plan->output[index].type;
    exprs.push_back(MakeLiteral(Value::Null(type), expr == nullptr ? 0 : expr->position));
  }
  return CommonType(exprs, what, exprs.back()->position);
}

absl::StatusOr<LogicalPtr> BindSetOperation(const PgQuery__SelectStmt& select,
                                            const QueryEnvironment& environment) {
  const int32_t right_position = FirstPosition(*select.rarg, environment);
  const bool unites = select.op == PG_QUERY__SET_OPERATION__SETOP_UNION;
  const bool intersects = select.op == PG_QUERY__SET_OPERATION__SETOP_INTERSECT;
  const char* what = unites ? "UNION" : intersects ? "INTERSECT" : "EXCEPT";
  const bool distinct = !select.all;
  std::vector<const PgQuery__SelectStmt*> members;
  if (unites) {
    CollectMembers(select, distinct, &members);
  } else {
    members = {select.larg, select.rarg};
  }
  std::vector<LogicalPtr> plans;
  for (const PgQuery__SelectStmt* member : members) {
    MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindQuery(*member, environment));
    if (!plans.empty() && plan->output.size() != plans[0]->output.size()) {
      return WithPosition(
          MakeError(SqlState::kSyntaxError,
                    absl::StrCat("each ", what, " query must have the same number of columns")),
          FirstPosition(*member, environment));
    }
    plans.push_back(std::move(plan));
  }
  std::vector<SqlType> types;
  for (size_t i = 0; i < plans[0]->output.size(); ++i) {
    absl::StatusOr<SqlType> type = UnionType(plans, i, what);
    if (!type.ok()) return WithPosition(type.status(), right_position);
    types.push_back(*type);
  }
  for (LogicalPtr& plan : plans) {
    MR_ASSIGN_OR_RETURN(plan, CastOutput(std::move(plan), types, CastContext::kImplicit));
  }
  if (!unites) {
    const auto operation = intersects ? SetOperation::kIntersect : SetOperation::kExcept;
    return CombineSets(operation, select.all, plans[0], plans[1]);
  }
  LogicalPtr united = NewUnionAll(std::move(plans));
  return distinct ? NewDistinct(std::move(united)) : united;
}

// Members of set operations and VALUES cannot use columns of the query around them.
QueryEnvironment WithoutCorrelation(const QueryEnvironment& environment, OuterQuery* outer) {
  if (environment.outer == nullptr) return environment;
  *outer = *environment.outer;
  outer->correlation = nullptr;
  return QueryEnvironment{environment.session, environment.statement, environment.with, outer};
}

absl::StatusOr<LogicalPtr> BindBody(const PgQuery__SelectStmt& query,
                                    const QueryEnvironment& environment) {
  const bool set_operation = query.op == PG_QUERY__SET_OPERATION__SETOP_UNION ||
                             query.op == PG_QUERY__SET_OPERATION__SETOP_INTERSECT ||
                             query.op == PG_QUERY__SET_OPERATION__SETOP_EXCEPT;
  if (query.n_locking_clause > 0) {
    return WithPosition(NotSupported("FOR UPDATE or FOR SHARE"),
                        environment.PositionOf(environment.statement.FindWord("for", 0)));
  }
  if (!set_operation && query.n_values_lists == 0) return BindSelect(query, environment);
  OuterQuery outer;
  const QueryEnvironment inner = WithoutCorrelation(environment, &outer);
  LogicalPtr plan;
  if (set_operation) {
    MR_ASSIGN_OR_RETURN(plan, BindSetOperation(query, inner));
  } else {
    MR_ASSIGN_OR_RETURN(plan, BindValues(query, inner));
  }
  if (query.n_sort_clause > 0) {
    MR_ASSIGN_OR_RETURN(plan, ResolveUnknownColumns(std::move(plan)));
    MR_ASSIGN_OR_RETURN(plan, BindResultOrder(std::move(plan), query, inner));
  }
  return BindLimit(std::move(plan), query, inner);
}

}  // namespace

absl::Status BindWith(const PgQuery__WithClause& with, const QueryEnvironment& environment,
                      WithScope* scope) {
  if (with.recursive) {
    return WithPosition(NotSupported("WITH RECURSIVE"), environment.PositionOf(with.location));
  }
  const QueryEnvironment inside{environment.session, environment.statement, scope,
                                environment.outer};
  for (const ParseNode* node : Nodes(with.n_ctes, with.ctes)) {
    const PgQuery__CommonTableExpr& cte = *node->common_table_expr;
    const int32_t position = environment.PositionOf(cte.location);
    if (scope->queries.contains(cte.ctename)) {
      return WithPosition(
          MakeError(SqlState::kDuplicateAlias,
                    absl::StrCat("WITH query name \"", cte.ctename, "\" specified more than once")),
          position);
    }
    if (!IsNode(cte.ctequery, PG_QUERY__NODE__NODE_SELECT_STMT)) {
      return WithPosition(NotSupported("a statement that changes data in WITH"), position);
    }
    MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindQuery(*cte.ctequery->select_stmt, inside));
    MR_ASSIGN_OR_RETURN(plan, ResolveUnknownColumns(std::move(plan)));
    const std::vector<std::string> names = StringsOf(Nodes(cte.n_aliascolnames, cte.aliascolnames));
    if (names.size() > plan->output.size()) {
      return WithPosition(
          MakeError(SqlState::kInvalidColumnReference,
                    absl::StrCat("WITH query \"", cte.ctename, "\" has ", plan->output.size(),
                                 " columns available but ", names.size(), " columns specified")),
          position);
    }
    if (!names.empty()) {
      std::vector<std::string> all;
      for (const Field& field : plan->output) all.push_back(field.name);
      std::copy(names.begin(), names.end(), all.begin());
      plan = WithNames(plan, all);
    }
    const int64_t num_nodes = NumNodes(*plan);
    scope->queries[cte.ctename] = WithQuery{std::move(plan), num_nodes};
  }
  return absl::OkStatus();
}

absl::StatusOr<LogicalPtr> BindQuery(const PgQuery__SelectStmt& query,
                                     const QueryEnvironment& environment) {
  DepthGuard guard(environment.session);
  const int32_t position = FirstPosition(query, environment);
  MR_RETURN_IF_ERROR(WithPosition(guard.Check(), position));
  MR_RETURN_IF_ERROR(CountOperator(environment.session, query.n_target_list, position));
  if (query.with_clause == nullptr) return BindBody(query, environment);
  WithScope scope;
  scope.outer = environment.with;
  OuterQuery outer;
  MR_RETURN_IF_ERROR(BindWith(*query.with_clause, WithoutCorrelation(environment, &outer), &scope));
  const QueryEnvironment inside{environment.session, environment.statement, &scope,
                                environment.outer};
  return BindBody(query, inside);
}

absl::StatusOr<LogicalPtr> BindQueryNode(const PgQuery__Node& node,
                                         const QueryEnvironment& environment) {
  if (node.node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
    return NotSupported("a statement other than SELECT and VALUES as a query");
  }
  return BindQuery(*node.select_stmt, environment);
}

}  // namespace millrace
