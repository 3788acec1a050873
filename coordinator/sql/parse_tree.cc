#include "coordinator/sql/parse_tree.h"

#include <algorithm>

namespace millrace {
namespace {

// PostgreSQL puts the location of an operator on the operator; the expression begins with its left
// operand.
int32_t Earliest(int32_t own, const ParseNode* first) {
  const int32_t below = first == nullptr ? -1 : LocationOf(first);
  if (below < 0) return own;
  return own < 0 ? below : std::min(own, below);
}

// The same for what is no expression: elements of clauses and items of FROM.
int32_t ClauseLocation(const ParseNode& node) {
  switch (node.node_case) {
    case PG_QUERY__NODE__NODE_RES_TARGET:
      return node.res_target->location;
    case PG_QUERY__NODE__NODE_SORT_BY:
      return LocationOf(node.sort_by->node);
    case PG_QUERY__NODE__NODE_RANGE_VAR:
      return node.range_var->location;
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
      return LocationOf(node.join_expr->larg);
    case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
      return node.range_table_sample->location;
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
      return LocationOf(node.range_subselect->subquery);
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION: {
      const ParseNodes functions =
          Nodes(node.range_function->n_functions, node.range_function->functions);
      const ParseNodes call = functions.empty() ? ParseNodes() : ItemsOf(functions[0]);
      return call.empty() ? -1 : LocationOf(call[0]);
    }
    case PG_QUERY__NODE__NODE_SELECT_STMT: {
      const PgQuery__SelectStmt& select = *node.select_stmt;
      return select.n_target_list == 0 ? -1 : LocationOf(select.target_list[0]);
    }
    case PG_QUERY__NODE__NODE_LIST: {
      const ParseNodes items = ItemsOf(&node);
      return items.empty() ? -1 : LocationOf(items[0]);
    }
    default:
      return -1;
  }
}

}  // namespace

int32_t LocationOf(const ParseNode* node) {
  if (node == nullptr) return -1;
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
      return node->column_ref->location;
    case PG_QUERY__NODE__NODE_A_CONST:
      return node->a_const->location;
    case PG_QUERY__NODE__NODE_FUNC_CALL:
      return node->func_call->location;
    case PG_QUERY__NODE__NODE_A_EXPR:
      return Earliest(node->a_expr->location, node->a_expr->lexpr);
    case PG_QUERY__NODE__NODE_TYPE_CAST: {
      const int32_t own = Earliest(node->type_cast->location, node->type_cast->arg);
      const int32_t type =
          node->type_cast->type_name == nullptr ? -1 : node->type_cast->type_name->location;
      if (own < 0) return type;
      return type < 0 ? own : std::min(own, type);
    }
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
      return Earliest(node->bool_expr->location,
                      node->bool_expr->n_args > 0 ? node->bool_expr->args[0] : nullptr);
    case PG_QUERY__NODE__NODE_SUB_LINK:
      return Earliest(node->sub_link->location, node->sub_link->testexpr);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
      return node->case_expr->location;
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
      return node->coalesce_expr->location;
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
      return node->min_max_expr->location;
    case PG_QUERY__NODE__NODE_NULL_TEST:
      return Earliest(node->null_test->location, node->null_test->arg);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
      return Earliest(node->boolean_test->location, node->boolean_test->arg);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
      return node->sqlvalue_function->location;
    case PG_QUERY__NODE__NODE_ROW_EXPR:
      return node->row_expr->location;
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
      return node->a_array_expr->location;
    case PG_QUERY__NODE__NODE_PARAM_REF:
      return node->param_ref->location;
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
      return Earliest(node->collate_clause->location, node->collate_clause->arg);
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
      return LocationOf(node->a_indirection->arg);
    case PG_QUERY__NODE__NODE_SET_TO_DEFAULT:
      return node->set_to_default->location;
    case PG_QUERY__NODE__NODE_NAMED_ARG_EXPR:
      return node->named_arg_expr->location;
    case PG_QUERY__NODE__NODE_XML_EXPR:
      return node->xml_expr->location;
    case PG_QUERY__NODE__NODE_XML_SERIALIZE:
      return node->xml_serialize->location;
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
      return node->grouping_func->location;
    case PG_QUERY__NODE__NODE_GROUPING_SET:
      return node->grouping_set->location;
    default:
      return ClauseLocation(*node);
  }
}

}  // namespace millrace
