#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/expr/call_builder.h"
#include "common/expr/function_registry.h"
#include "common/expr/type_resolution.h"

// The special forms of function_registry.h: logic, tests, IN, CASE, and the common type that they
// share.

namespace millrace {
namespace {

absl::StatusOr<ExprPtr> BuildLogic(const char* function, const char* what,
                                   std::vector<ExprPtr> args, int32_t position) {
  MR_CHECK(!args.empty());
  for (ExprPtr& arg : args) {
    MR_ASSIGN_OR_RETURN(arg, CoerceToBoolean(arg, what, position));
  }
  if (args.size() == 1) return args[0];
  // a AND (b AND c) is one call of three.
  std::vector<ExprPtr> flat;
  for (ExprPtr& arg : args) {
    if (arg->kind == ExprKind::kCall && arg->function == function) {
      flat.insert(flat.end(), arg->args.begin(), arg->args.end());
    } else {
      flat.push_back(std::move(arg));
    }
  }
  return MakeCall(function, std::move(flat), SqlType::Of(TypeId::kBoolean), position);
}

absl::Status TypesCannotMatch(absl::string_view what, const SqlType& a, const SqlType& b,
                              int32_t position) {
  return WithPosition(MakeError(SqlState::kDatatypeMismatch,
                                absl::StrCat(what, " types ", TypeName(SqlType::Of(a.id)), " and ",
                                             TypeName(SqlType::Of(b.id)), " cannot be matched")),
                      position);
}

// The modifiers of the common type: kept if all agree; a numeric gets the scale that holds every
// argument.
SqlType WithCommonModifiers(const std::vector<ExprPtr>& exprs, TypeId id) {
  SqlType common = SqlType::Of(id);
  bool first = true;
  bool all_same = true;
  int32_t scale = 0;
  for (const ExprPtr& expr : exprs) {
    if (expr->type.id == TypeId::kUnknown) continue;
    if (first) common = expr->type;
    all_same &= expr->type == common;
    first = false;
    scale = std::max(scale, NaturalType(expr->type, TypeId::kNumeric).scale);
  }
  if (!first && all_same && common.id == id) return common;
  return id == TypeId::kNumeric ? SqlType::Numeric(0, scale) : SqlType::Of(id);
}

// The digits that quoted numbers among `exprs` need if they become numeric.
int32_t LiteralScale(const std::vector<ExprPtr>& exprs) {
  int32_t scale = 0;
  for (const ExprPtr& expr : exprs) {
    if (expr->type.id != TypeId::kUnknown) continue;
    const auto number = Coerce(expr, TypeId::kNumeric, 0);
    if (number.ok()) scale = std::max(scale, (*number)->type.scale);
  }
  return scale;
}

// needle = a OR needle = b …, for list members that are not constant.
absl::StatusOr<std::vector<ExprPtr>> BuildEqualities(const ExprPtr& needle,
                                                     const std::vector<ExprPtr>& list,
                                                     int32_t position) {
  std::vector<ExprPtr> tests;
  for (const ExprPtr& item : list) {
    MR_ASSIGN_OR_RETURN(ExprPtr test, BuildOperator("=", {needle, item}, position));
    tests.push_back(std::move(test));
  }
  return tests;
}

absl::StatusOr<ExprPtr> BuildConstantIn(const ExprPtr& needle, const std::vector<ExprPtr>& items,
                                        int32_t position) {
  if (items.size() == 1) return BuildOperator("=", {needle, items[0]}, position);
  std::vector<ExprPtr> args = {needle};
  args.insert(args.end(), items.begin(), items.end());
  MR_ASSIGN_OR_RETURN(const SqlType type, CommonType(args, "IN", position));
  for (ExprPtr& arg : args) {
    const bool as_it_is = (arg->type.is_string() && type.is_string()) ||
                          (arg->type.is_numeric() && arg->type.scale == type.scale);
    if (as_it_is && arg == needle) continue;
    MR_ASSIGN_OR_RETURN(arg, BuildCast(arg, type, CastContext::kImplicit, position));
  }
  return MakeCall("in", std::move(args), SqlType::Of(TypeId::kBoolean), position);
}

}  // namespace

absl::StatusOr<ExprPtr> CoerceToBoolean(ExprPtr arg, absl::string_view what, int32_t position) {
  if (arg->type.id == TypeId::kBoolean) return arg;
  const int32_t where = arg->position != 0 ? arg->position : position;
  if (arg->type.id == TypeId::kUnknown) {
    return BuildCast(std::move(arg), SqlType::Of(TypeId::kBoolean), CastContext::kImplicit, where);
  }
  return WithPosition(
      MakeError(SqlState::kDatatypeMismatch,
                absl::StrCat("argument of ", what, " must be type boolean, not type ",
                             TypeName(SqlType::Of(arg->type.id)))),
      where);
}

absl::StatusOr<ExprPtr> BuildAnd(std::vector<ExprPtr> args, int32_t position) {
  return BuildLogic("and", "AND", std::move(args), position);
}

absl::StatusOr<ExprPtr> BuildOr(std::vector<ExprPtr> args, int32_t position) {
  return BuildLogic("or", "OR", std::move(args), position);
}

absl::StatusOr<ExprPtr> BuildNot(ExprPtr arg, int32_t position) {
  MR_ASSIGN_OR_RETURN(arg, CoerceToBoolean(std::move(arg), "NOT", position));
  return MakeCall("not", {std::move(arg)}, SqlType::Of(TypeId::kBoolean), position);
}

absl::StatusOr<ExprPtr> BuildIsTest(absl::string_view test, ExprPtr arg, int32_t position) {
  const bool on_null = test == "null" || test == "not_null";
  if (!on_null) {
    const absl::string_view what = test == "true"        ? "IS TRUE"
                                   : test == "not_true"  ? "IS NOT TRUE"
                                   : test == "false"     ? "IS FALSE"
                                   : test == "not_false" ? "IS NOT FALSE"
                                                         : "IS UNKNOWN";
    MR_ASSIGN_OR_RETURN(arg, CoerceToBoolean(std::move(arg), what, position));
  }
  // IS UNKNOWN of a boolean is IS NULL.
  if (test == "unknown") test = "null";
  if (test == "not_unknown") test = "not_null";
  if (arg->type.id == TypeId::kUnknown) {
    MR_ASSIGN_OR_RETURN(arg, Coerce(std::move(arg), TypeId::kText, position));
  }
  return MakeCall(absl::StrCat("is_", test), {std::move(arg)}, SqlType::Of(TypeId::kBoolean),
                  position);
}

absl::StatusOr<ExprPtr> BuildIsDistinct(ExprPtr left, ExprPtr right, bool negated,
                                        int32_t position) {
  // Resolved as "=" is, whose arguments then are of one type.
  MR_ASSIGN_OR_RETURN(ExprPtr equal,
                      BuildOperator("=", {std::move(left), std::move(right)}, position));
  return MakeCall(negated ? "is_not_distinct" : "is_distinct", equal->args,
                  SqlType::Of(TypeId::kBoolean), position);
}

absl::StatusOr<ExprPtr> BuildInList(ExprPtr needle, std::vector<ExprPtr> list, bool negated,
                                    int32_t position) {
  const auto first_variable = std::stable_partition(
      list.begin(), list.end(), [](const ExprPtr& item) { return IsConstant(*item); });
  const std::vector<ExprPtr> constants(list.begin(), first_variable);
  MR_ASSIGN_OR_RETURN(
      std::vector<ExprPtr> tests,
      BuildEqualities(needle, std::vector<ExprPtr>(first_variable, list.end()), position));
  if (!constants.empty()) {
    MR_ASSIGN_OR_RETURN(ExprPtr in, BuildConstantIn(needle, constants, position));
    tests.insert(tests.begin(), std::move(in));
  }
  if (tests.empty()) {
    return WithPosition(MakeError(SqlState::kSyntaxError, "IN needs a list"), position);
  }
  MR_ASSIGN_OR_RETURN(ExprPtr any, BuildOr(std::move(tests), position));
  return negated ? BuildNot(std::move(any), position) : any;
}

absl::StatusOr<ExprPtr> BuildCase(std::vector<ExprPtr> conditions, std::vector<ExprPtr> results,
                                  ExprPtr otherwise, int32_t position) {
  MR_CHECK(!conditions.empty() && conditions.size() == results.size());
  if (otherwise == nullptr) otherwise = MakeLiteral(Value::Null(SqlType()), position);
  // PostgreSQL lets the ELSE speak first.
  results.insert(results.begin(), std::move(otherwise));
  MR_ASSIGN_OR_RETURN(results, CastToCommonType(std::move(results), "CASE", position));
  auto expr = std::make_shared<Expr>();
  expr->kind = ExprKind::kCase;
  expr->type = results[0]->type;
  expr->position = position;
  for (size_t i = 0; i < conditions.size(); ++i) {
    MR_ASSIGN_OR_RETURN(ExprPtr condition,
                        CoerceToBoolean(std::move(conditions[i]), "CASE/WHEN", position));
    expr->args.push_back(std::move(condition));
    expr->args.push_back(std::move(results[i + 1]));
  }
  expr->args.push_back(std::move(results[0]));
  return ExprPtr(std::move(expr));
}

absl::StatusOr<SqlType> CommonType(const std::vector<ExprPtr>& exprs, absl::string_view what,
                                   int32_t position) {
  TypeId chosen = TypeId::kUnknown;
  for (const ExprPtr& expr : exprs) {
    const TypeId type = expr->type.id;
    if (type == TypeId::kUnknown || type == chosen) continue;
    if (chosen == TypeId::kUnknown) {
      chosen = type;
      continue;
    }
    if (CategoryOf(type) != CategoryOf(chosen)) {
      const int32_t where = expr->position != 0 ? expr->position : position;
      return TypesCannotMatch(what, SqlType::Of(chosen), expr->type, where);
    }
    const bool wider = !IsPreferred(chosen) && CanCast(chosen, type, CastContext::kImplicit) &&
                       !CanCast(type, chosen, CastContext::kImplicit);
    if (wider) chosen = type;
  }
  if (chosen == TypeId::kUnknown) return SqlType::Of(TypeId::kText);
  SqlType type = WithCommonModifiers(exprs, chosen);
  if (chosen == TypeId::kNumeric) {
    const int32_t scale = LiteralScale(exprs);
    if (scale > type.scale) type = SqlType::Numeric(0, scale);
  }
  return type;
}

absl::StatusOr<std::vector<ExprPtr>> CastToCommonType(std::vector<ExprPtr> exprs,
                                                      absl::string_view what, int32_t position) {
  MR_ASSIGN_OR_RETURN(const SqlType type, CommonType(exprs, what, position));
  for (ExprPtr& expr : exprs) {
    const int32_t where = expr->position != 0 ? expr->position : position;
    if (!CanCast(expr->type.id, type.id, CastContext::kImplicit)) {
      return WithPosition(
          MakeError(SqlState::kCannotCoerce, absl::StrCat(what, " could not convert type ",
                                                          TypeName(SqlType::Of(expr->type.id)),
                                                          " to ", TypeName(SqlType::Of(type.id)))),
          where);
    }
    MR_ASSIGN_OR_RETURN(expr, BuildCast(expr, type, CastContext::kImplicit, where));
  }
  return exprs;
}

}  // namespace millrace
