#include "coordinator/sql/row_comparison.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/sql/parse_tree.h"

namespace millrace {
namespace {

using Row = std::vector<ExprPtr>;

absl::StatusOr<Row> BindRow(ExpressionBinder& binder, const ParseNode* node, int32_t position) {
  if (!IsNode(node, PG_QUERY__NODE__NODE_ROW_EXPR)) {
    return WithPosition(NotSupported("a comparison of a row with a single value"), position);
  }
  Row row;
  for (const ParseNode* item : Nodes(node->row_expr->n_args, node->row_expr->args)) {
    MR_ASSIGN_OR_RETURN(ExprPtr value, binder.Bind(item));
    row.push_back(std::move(value));
  }
  return row;
}

absl::Status CheckLengths(const Row& left, const Row& right, int32_t position) {
  if (left.empty() || right.empty()) {
    return WithPosition(NotSupported("a comparison of rows without values"), position);
  }
  if (left.size() == right.size()) return absl::OkStatus();
  return WithPosition(
      MakeError(SqlState::kSyntaxError, "unequal number of entries in row expressions"), position);
}

// Every pair compared; all (AND) or any (OR) must hold.
absl::StatusOr<ExprPtr> ComparePairs(absl::string_view op, bool all, const Row& left,
                                     const Row& right, int32_t position) {
  std::vector<ExprPtr> tests;
  for (size_t i = 0; i < left.size(); ++i) {
    MR_ASSIGN_OR_RETURN(ExprPtr test, BuildOperator(op, {left[i], right[i]}, position));
    tests.push_back(std::move(test));
  }
  return all ? BuildAnd(std::move(tests), position) : BuildOr(std::move(tests), position);
}

// a < c OR (a = c AND (b < d OR …)): the last pair decides by `op` itself.
absl::StatusOr<ExprPtr> CompareInOrder(absl::string_view op, const Row& left, const Row& right,
                                       int32_t position) {
  const absl::string_view strict = op.substr(0, 1);
  ExprPtr result;
  for (size_t i = left.size(); i-- > 0;) {
    const absl::string_view used = result == nullptr ? op : strict;
    MR_ASSIGN_OR_RETURN(ExprPtr decides, BuildOperator(used, {left[i], right[i]}, position));
    if (result == nullptr) {
      result = std::move(decides);
      continue;
    }
    MR_ASSIGN_OR_RETURN(ExprPtr equal, BuildOperator("=", {left[i], right[i]}, position));
    MR_ASSIGN_OR_RETURN(ExprPtr rest, BuildAnd({std::move(equal), std::move(result)}, position));
    MR_ASSIGN_OR_RETURN(result, BuildOr({std::move(decides), std::move(rest)}, position));
  }
  return result;
}

absl::StatusOr<ExprPtr> CompareDistinct(const Row& left, const Row& right, bool negated,
                                        int32_t position) {
  std::vector<ExprPtr> tests;
  for (size_t i = 0; i < left.size(); ++i) {
    MR_ASSIGN_OR_RETURN(ExprPtr test, BuildIsDistinct(left[i], right[i], negated, position));
    tests.push_back(std::move(test));
  }
  return negated ? BuildAnd(std::move(tests), position) : BuildOr(std::move(tests), position);
}

// The elements of '{1,2,NULL}' as literals without a type. Quoted elements and arrays in arrays
// are left alone: false.
bool SplitArrayText(absl::string_view text, int32_t position, std::vector<ExprPtr>* elements) {
  text = absl::StripAsciiWhitespace(text);
  const bool plain = absl::StartsWith(text, "{") && absl::EndsWith(text, "}") &&
                     text.substr(1).find_first_of("{\"\\") == absl::string_view::npos;
  if (!plain) return false;
  text = text.substr(1, text.size() - 2);
  if (absl::StripAsciiWhitespace(text).empty()) return true;
  for (absl::string_view item : absl::StrSplit(text, ',')) {
    item = absl::StripAsciiWhitespace(item);
    Value value{SqlType{}, std::string(item)};
    if (absl::EqualsIgnoreCase(item, "null")) value = Value::Null(SqlType{});
    elements->push_back(MakeLiteral(std::move(value), position));
  }
  return true;
}

absl::StatusOr<std::vector<ExprPtr>> ArrayElements(ExpressionBinder& binder, const ParseNode* node,
                                                   int32_t position) {
  std::vector<ExprPtr> elements;
  if (IsNode(node, PG_QUERY__NODE__NODE_A_ARRAY_EXPR)) {
    for (const ParseNode* item :
         Nodes(node->a_array_expr->n_elements, node->a_array_expr->elements)) {
      MR_ASSIGN_OR_RETURN(ExprPtr element, binder.Bind(item));
      elements.push_back(std::move(element));
    }
    if (!elements.empty()) return elements;
  } else if (IsNode(node, PG_QUERY__NODE__NODE_A_CONST) &&
             node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL &&
             SplitArrayText(node->a_const->sval->sval, position, &elements)) {
    return elements;
  }
  return WithPosition(
      WithHint(NotSupported("ANY or ALL over an array that is not written out"), "Write IN (…)."),
      position);
}

}  // namespace

absl::StatusOr<ExprPtr> BindRowComparison(ExpressionBinder& binder, const PgQuery__AExpr& expr) {
  const int32_t position = binder.environment().PositionOf(expr.location);
  MR_ASSIGN_OR_RETURN(const Row left, BindRow(binder, expr.lexpr, position));
  MR_ASSIGN_OR_RETURN(const Row right, BindRow(binder, expr.rexpr, position));
  MR_RETURN_IF_ERROR(CheckLengths(left, right, position));
  switch (expr.kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
      return CompareDistinct(left, right, false, position);
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
      return CompareDistinct(left, right, true, position);
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
      break;
    default:
      return WithPosition(NotSupported("this comparison of row values"), position);
  }
  const absl::string_view op = LastName(Nodes(expr.n_name, expr.name));
  if (op == "=") return ComparePairs(op, true, left, right, position);
  if (op == "<>" || op == "!=") return ComparePairs("<>", false, left, right, position);
  if (op == "<" || op == "<=" || op == ">" || op == ">=") {
    return CompareInOrder(op, left, right, position);
  }
  return WithPosition(NotSupported(absl::StrCat("operator ", op, " for row values")), position);
}

absl::StatusOr<ExprPtr> BindRowInList(ExpressionBinder& binder, const PgQuery__AExpr& expr) {
  const int32_t position = binder.environment().PositionOf(expr.location);
  MR_ASSIGN_OR_RETURN(const Row needle, BindRow(binder, expr.lexpr, position));
  std::vector<ExprPtr> tests;
  for (const ParseNode* item : ItemsOf(expr.rexpr)) {
    MR_ASSIGN_OR_RETURN(const Row row, BindRow(binder, item, position));
    MR_RETURN_IF_ERROR(CheckLengths(needle, row, position));
    MR_ASSIGN_OR_RETURN(ExprPtr test, ComparePairs("=", true, needle, row, position));
    tests.push_back(std::move(test));
  }
  MR_ASSIGN_OR_RETURN(ExprPtr any, BuildOr(std::move(tests), position));
  const bool negated = LastName(Nodes(expr.n_name, expr.name)) == "<>";
  return negated ? BuildNot(std::move(any), position) : any;
}

absl::StatusOr<ExprPtr> BindRowNullTest(ExpressionBinder& binder, const PgQuery__Node& row,
                                        bool is_null, int32_t position) {
  MR_ASSIGN_OR_RETURN(const Row values, BindRow(binder, &row, position));
  MR_RETURN_IF_ERROR(CheckLengths(values, values, position));
  std::vector<ExprPtr> tests;
  for (const ExprPtr& value : values) {
    MR_ASSIGN_OR_RETURN(ExprPtr test, BuildIsTest(is_null ? "null" : "not_null", value, position));
    tests.push_back(std::move(test));
  }
  return BuildAnd(std::move(tests), position);
}

absl::StatusOr<ExprPtr> BindArrayComparison(ExpressionBinder& binder, const PgQuery__AExpr& expr) {
  const int32_t position = binder.environment().PositionOf(expr.location);
  const bool any = expr.kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY;
  const absl::string_view op = LastName(Nodes(expr.n_name, expr.name));
  MR_ASSIGN_OR_RETURN(const ExprPtr value, binder.Bind(expr.lexpr));
  MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> elements, ArrayElements(binder, expr.rexpr, position));
  if (elements.empty()) return MakeBoolean(!any);
  if (any && op == "=") return BuildInList(value, std::move(elements), false, position);
  if (!any && op == "<>") return BuildInList(value, std::move(elements), true, position);
  const Row left(elements.size(), value);
  return ComparePairs(op, !any, left, elements, position);
}

}  // namespace millrace
