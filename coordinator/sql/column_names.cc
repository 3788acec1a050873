#include "coordinator/sql/column_names.h"

#include "coordinator/sql/parse_tree.h"

namespace millrace {
namespace {

// A weak name is only used if nothing better turns up: a cast's type, "case".
enum class Strength : uint8_t { kNone, kWeak, kStrong };

struct NameGuess {
  Strength strength = Strength::kNone;
  std::string name;
};

NameGuess Strong(absl::string_view name) { return {Strength::kStrong, std::string(name)}; }

NameGuess Guess(const ParseNode* node);

// The last name of a list of fields, without "*".
NameGuess LastField(ParseNodes fields) {
  for (size_t i = fields.size(); i > 0; --i) {
    if (IsNode(fields[i - 1], PG_QUERY__NODE__NODE_STRING)) return Strong(StringOf(fields[i - 1]));
  }
  return {};
}

NameGuess GuessSubLink(const PgQuery__SubLink& link) {
  if (link.sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK) return Strong("exists");
  if (link.sub_link_type == PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK) return Strong("array");
  const bool scalar = link.sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK &&
                      IsNode(link.subselect, PG_QUERY__NODE__NODE_SELECT_STMT);
  if (!scalar) return {};
  const PgQuery__SelectStmt* select = link.subselect->select_stmt;
  while (select->larg != nullptr) select = select->larg;
  if (select->n_target_list == 0) return {};
  const PgQuery__ResTarget& target = *select->target_list[0]->res_target;
  return target.name[0] != '\0' ? Strong(target.name) : Guess(target.val);
}

NameGuess GuessValueFunction(PgQuery__SQLValueFunctionOp op) {
  switch (op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
      return Strong("current_date");
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
      return Strong("current_timestamp");
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME:
      return Strong("localtime");
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
      return Strong("localtimestamp");
    default:
      return {};
  }
}

// `inner` unless it is weaker than the name that the construct itself gives.
NameGuess Or(NameGuess inner, absl::string_view weak) {
  if (inner.strength == Strength::kStrong) return inner;
  return {Strength::kWeak, std::string(weak)};
}

NameGuess Guess(const ParseNode* node) {
  if (node == nullptr) return {};
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
      return LastField(Nodes(node->column_ref->n_fields, node->column_ref->fields));
    case PG_QUERY__NODE__NODE_A_INDIRECTION: {
      NameGuess field =
          LastField(Nodes(node->a_indirection->n_indirection, node->a_indirection->indirection));
      return field.strength == Strength::kNone ? Guess(node->a_indirection->arg) : field;
    }
    case PG_QUERY__NODE__NODE_FUNC_CALL:
      return Strong(LastName(Nodes(node->func_call->n_funcname, node->func_call->funcname)));
    case PG_QUERY__NODE__NODE_A_EXPR:
      if (node->a_expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF) return Strong("nullif");
      return {};
    case PG_QUERY__NODE__NODE_TYPE_CAST: {
      const PgQuery__TypeName& type = *node->type_cast->type_name;
      return Or(Guess(node->type_cast->arg), LastName(Nodes(type.n_names, type.names)));
    }
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
      return Guess(node->collate_clause->arg);
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
      return Strong("grouping");
    case PG_QUERY__NODE__NODE_SUB_LINK:
      return GuessSubLink(*node->sub_link);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
      return Or(Guess(node->case_expr->defresult), "case");
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
      return Strong("array");
    case PG_QUERY__NODE__NODE_ROW_EXPR:
      return Strong("row");
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
      return Strong("coalesce");
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
      return Strong(node->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_LEAST ? "least"
                                                                             : "greatest");
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
      return GuessValueFunction(node->sqlvalue_function->op);
    default:
      return {};
  }
}

}  // namespace

std::string DefaultColumnName(const PgQuery__Node& expr) {
  const NameGuess guess = Guess(&expr);
  return guess.strength == Strength::kNone ? "?column?" : guess.name;
}

}  // namespace millrace
