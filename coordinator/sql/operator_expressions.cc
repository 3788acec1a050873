#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/types/utf8.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/row_comparison.h"

// The members of ExpressionBinder for operators and for the forms that PostgreSQL's grammar spells
// out.

namespace millrace {
namespace {

bool IsRow(const ParseNode* node) { return IsNode(node, PG_QUERY__NODE__NODE_ROW_EXPR); }

// Operators of JSON, arrays and ranges.
bool IsMissingOperator(absl::string_view op) {
  for (const char* known :
       {"->", "->>", "#>", "#>>", "@>", "<@", "?", "?|", "?&", "&&", "@?", "@@"}) {
    if (op == known) return true;
  }
  return false;
}

// The pattern of LIKE with another escape character, in terms of the backslash. PostgreSQL's
// like_escape.
absl::StatusOr<std::string> WithBackslashes(absl::string_view pattern, absl::string_view escape,
                                            int32_t position) {
  if (CountChars(escape) > 1) {
    return WithPosition(MakeError(SqlState::kInvalidEscapeSequence, "invalid escape string",
                                  "Escape string must be empty or one character."),
                        position);
  }
  std::string result;
  for (size_t at = 0; at < pattern.size();) {
    const absl::string_view letter = pattern.substr(at, CharLength(pattern, at));
    at += letter.size();
    if (letter == escape && escape != "\\") {
      if (at >= pattern.size()) {
        absl::StrAppend(&result, "\\");
        break;
      }
      const absl::string_view next = pattern.substr(at, CharLength(pattern, at));
      at += next.size();
      absl::StrAppend(&result, "\\", next);
    } else if (letter == "\\" && escape != "\\") {
      absl::StrAppend(&result, "\\\\");
    } else {
      absl::StrAppend(&result, letter);
      if (letter == "\\" && at < pattern.size()) {
        const absl::string_view next = pattern.substr(at, CharLength(pattern, at));
        at += next.size();
        absl::StrAppend(&result, next);
      }
    }
  }
  return result;
}

// PostgreSQL fails when the matching comes to a lone escape character; a constant pattern that ends
// in one is refused before.
absl::Status CheckPatternEnd(const Expr& pattern) {
  const auto* text = pattern.kind == ExprKind::kLiteral
                         ? std::get_if<std::string>(&pattern.literal.value)
                         : nullptr;
  if (text == nullptr) return absl::OkStatus();
  size_t num_escapes = 0;
  while (num_escapes < text->size() && (*text)[text->size() - 1 - num_escapes] == '\\') {
    ++num_escapes;
  }
  if (num_escapes % 2 == 0) return absl::OkStatus();
  return WithPosition(MakeError(SqlState::kInvalidEscapeSequence,
                                "LIKE pattern must not end with escape character"),
                      pattern.position);
}

}  // namespace

absl::StatusOr<ExprPtr> ExpressionBinder::BindOperatorExpr(const PgQuery__AExpr& expr) {
  if (IsRow(expr.lexpr) || IsRow(expr.rexpr)) {
    return expr.kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN ? BindRowInList(*this, expr)
                                                          : BindRowComparison(*this, expr);
  }
  switch (expr.kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
      return BindPlainOperator(expr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT: {
      MR_ASSIGN_OR_RETURN(ExprPtr left, Bind(expr.lexpr));
      MR_ASSIGN_OR_RETURN(ExprPtr right, Bind(expr.rexpr));
      return BuildIsDistinct(std::move(left), std::move(right),
                             expr.kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT,
                             PositionOf(expr.location));
    }
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF: {
      ParseNode* args[] = {expr.lexpr, expr.rexpr};
      return BindNamedForm("nullif", args, std::size(args), expr.location);
    }
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
      return BindIn(expr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
      return BindLike(expr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR:
      return BindSimilar(expr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
      return BindBetween(expr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
      return BindArrayComparison(*this, expr);
    default:
      return Refuse("this operator", expr.location);
  }
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindPlainOperator(const PgQuery__AExpr& expr) {
  const absl::string_view op = LastName(Nodes(expr.n_name, expr.name));
  if (IsMissingOperator(op)) {
    return Refuse(absl::StrCat("operator ", op, " (JSON, arrays, ranges)"), expr.location);
  }
  std::vector<ExprPtr> args;
  for (const ParseNode* arg : {expr.lexpr, expr.rexpr}) {
    if (arg == nullptr) continue;
    MR_ASSIGN_OR_RETURN(ExprPtr bound, Bind(arg));
    args.push_back(std::move(bound));
  }
  return BuildOperator(op, std::move(args), PositionOf(expr.location));
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindBetween(const PgQuery__AExpr& expr) {
  const ParseNodes bounds = ItemsOf(expr.rexpr);
  if (bounds.size() != 2) return InternalError("BETWEEN without two bounds");
  if (IsRow(bounds[0]) || IsRow(bounds[1])) {
    return Refuse("a comparison of row values", expr.location);
  }
  MR_ASSIGN_OR_RETURN(const ExprPtr value, Bind(expr.lexpr));
  MR_ASSIGN_OR_RETURN(const ExprPtr low, Bind(bounds[0]));
  MR_ASSIGN_OR_RETURN(const ExprPtr high, Bind(bounds[1]));
  const int32_t position = PositionOf(expr.location);
  const bool negated = expr.kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN ||
                       expr.kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
  const bool symmetric = expr.kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM ||
                         expr.kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
  const auto range = [&](const ExprPtr& from, const ExprPtr& to) -> absl::StatusOr<ExprPtr> {
    MR_ASSIGN_OR_RETURN(ExprPtr left, BuildOperator(negated ? "<" : ">=", {value, from}, position));
    MR_ASSIGN_OR_RETURN(ExprPtr right, BuildOperator(negated ? ">" : "<=", {value, to}, position));
    if (negated) return BuildOr({std::move(left), std::move(right)}, position);
    return BuildAnd({std::move(left), std::move(right)}, position);
  };
  MR_ASSIGN_OR_RETURN(ExprPtr straight, range(low, high));
  if (!symmetric) return straight;
  MR_ASSIGN_OR_RETURN(ExprPtr swapped, range(high, low));
  if (negated) return BuildAnd({std::move(straight), std::move(swapped)}, position);
  return BuildOr({std::move(straight), std::move(swapped)}, position);
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindIn(const PgQuery__AExpr& expr) {
  const bool negated = LastName(Nodes(expr.n_name, expr.name)) == "<>";
  MR_ASSIGN_OR_RETURN(ExprPtr needle, Bind(expr.lexpr));
  const ParseNodes items = ItemsOf(expr.rexpr);
  MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> list, BindAll(items.data(), items.size()));
  return BuildInList(std::move(needle), std::move(list), negated, PositionOf(expr.location));
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindLike(const PgQuery__AExpr& expr) {
  const absl::string_view op = LastName(Nodes(expr.n_name, expr.name));
  MR_ASSIGN_OR_RETURN(ExprPtr value, Bind(expr.lexpr));
  const int32_t position = PositionOf(expr.location);
  const bool has_escape = IsNode(expr.rexpr, PG_QUERY__NODE__NODE_FUNC_CALL) &&
                          LastName(Nodes(expr.rexpr->func_call->n_funcname,
                                         expr.rexpr->func_call->funcname)) == "like_escape";
  if (!has_escape) {
    MR_ASSIGN_OR_RETURN(ExprPtr pattern, Bind(expr.rexpr));
    MR_RETURN_IF_ERROR(CheckPatternEnd(*pattern));
    return BuildOperator(op, {std::move(value), std::move(pattern)}, position);
  }
  const PgQuery__FuncCall& call = *expr.rexpr->func_call;
  MR_ASSIGN_OR_RETURN(const std::vector<ExprPtr> args, BindAll(call.args, call.n_args));
  for (const ExprPtr& arg : args) {
    const bool is_text =
        arg->kind == ExprKind::kLiteral && std::holds_alternative<std::string>(arg->literal.value);
    if (!is_text) return Refuse("ESCAPE with anything but constant texts", call.location);
  }
  MR_ASSIGN_OR_RETURN(
      std::string pattern,
      WithBackslashes(std::get<std::string>(args[0]->literal.value),
                      std::get<std::string>(args[1]->literal.value), args[1]->position));
  ExprPtr literal =
      MakeLiteral(Value{SqlType::Of(TypeId::kText), std::move(pattern)}, args[0]->position);
  // An empty escape text turns escaping off.
  MR_RETURN_IF_ERROR(CheckPatternEnd(*literal));
  return BuildOperator(op, {std::move(value), std::move(literal)}, position);
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindSimilar(const PgQuery__AExpr& expr) {
  MR_ASSIGN_OR_RETURN(ExprPtr value, Bind(expr.lexpr));
  // The grammar has put similar_to_escape() around the pattern.
  MR_ASSIGN_OR_RETURN(ExprPtr regex, Bind(expr.rexpr));
  const bool negated = LastName(Nodes(expr.n_name, expr.name)) == "!~";
  return BuildOperator(negated ? "!~" : "~", {std::move(value), std::move(regex)},
                       PositionOf(expr.location));
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindBoolExpr(const PgQuery__BoolExpr& expr) {
  const int32_t position = PositionOf(expr.location);
  const char* what = expr.boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR  ? "argument of AND"
                     : expr.boolop == PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR ? "argument of OR"
                                                                        : "argument of NOT";
  std::vector<ExprPtr> args;
  for (const ParseNode* arg : Nodes(expr.n_args, expr.args)) {
    MR_ASSIGN_OR_RETURN(ExprPtr bound, BindBoolean(arg, what));
    args.push_back(std::move(bound));
  }
  if (expr.boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) return BuildAnd(std::move(args), position);
  if (expr.boolop == PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR) return BuildOr(std::move(args), position);
  return BuildNot(std::move(args[0]), position);
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindCase(const PgQuery__CaseExpr& expr) {
  const int32_t position = PositionOf(expr.location);
  ExprPtr subject;
  if (expr.arg != nullptr) {
    MR_ASSIGN_OR_RETURN(subject, Bind(expr.arg));
  }
  std::vector<ExprPtr> conditions;
  std::vector<ExprPtr> results;
  for (const ParseNode* node : Nodes(expr.n_args, expr.args)) {
    const PgQuery__CaseWhen& when = *node->case_when;
    ExprPtr condition;
    if (subject == nullptr) {
      MR_ASSIGN_OR_RETURN(condition, BindBoolean(when.expr, "argument of CASE/WHEN"));
    } else {
      MR_ASSIGN_OR_RETURN(ExprPtr value, Bind(when.expr));
      MR_ASSIGN_OR_RETURN(
          condition, BuildOperator("=", {subject, std::move(value)}, PositionOf(when.location)));
    }
    conditions.push_back(std::move(condition));
    MR_ASSIGN_OR_RETURN(ExprPtr result, Bind(when.result));
    results.push_back(std::move(result));
  }
  ExprPtr otherwise;
  if (expr.defresult != nullptr) {
    MR_ASSIGN_OR_RETURN(otherwise, Bind(expr.defresult));
  }
  return BuildCase(std::move(conditions), std::move(results), std::move(otherwise), position);
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindNullTest(const PgQuery__NullTest& test) {
  const bool is_null = test.nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NULL;
  if (IsRow(test.arg)) {
    return BindRowNullTest(*this, *test.arg, is_null, PositionOf(test.location));
  }
  MR_ASSIGN_OR_RETURN(ExprPtr arg, Bind(test.arg));
  return BuildIsTest(is_null ? "null" : "not_null", std::move(arg), PositionOf(test.location));
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindBooleanTest(const PgQuery__BooleanTest& test) {
  static constexpr const char* kTests[] = {"",          "true", "not_true", "false",
                                           "not_false", "null", "not_null"};
  static constexpr const char* kNames[] = {
      "", "IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE", "IS UNKNOWN", "IS NOT UNKNOWN"};
  const size_t kind = test.booltesttype;
  if (kind == 0 || kind >= std::size(kTests)) return InternalError("unknown boolean test");
  MR_ASSIGN_OR_RETURN(ExprPtr arg,
                      BindBoolean(test.arg, absl::StrCat("argument of ", kNames[kind])));
  return BuildIsTest(kTests[kind], std::move(arg), PositionOf(test.location));
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindValueFunction(
    const PgQuery__SQLValueFunction& function) {
  const int32_t position = PositionOf(function.location);
  switch (function.op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
      return BuildFunctionCall("current_date", {}, position);
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
      return BuildFunctionCall("current_timestamp", {}, position);
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
      return BuildFunctionCall("localtimestamp", {}, position);
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME:
      return BuildFunctionCall("localtime", {}, position);
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME:
      return Refuse("CURRENT_TIME (time with time zone)", function.location);
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP_N:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME_N:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME_N:
      return Refuse("a current time with a precision", function.location);
    default:
      return Refuse("a function about the current user or database", function.location);
  }
}

absl::StatusOr<ExprPtr> ExpressionBinder::BindCollate(const PgQuery__CollateClause& collate) {
  const absl::string_view name = LastName(Nodes(collate.n_collname, collate.collname));
  // Text is ordered by bytes, which is what these three say.
  if (name != "C" && name != "POSIX" && name != "ucs_basic") {
    return Refuse(absl::StrCat("collation \"", name, "\""), collate.location);
  }
  return Bind(collate.arg);
}

}  // namespace millrace
