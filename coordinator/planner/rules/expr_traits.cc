#include "coordinator/planner/rules/expr_traits.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "common/expr/function_catalog.h"

namespace millrace {
namespace {

using Names = absl::flat_hash_set<absl::string_view>;

const Names& VolatileNames() {
  static const auto* const kNames = new Names(
      {"random", "gen_random_uuid", "clock_timestamp", "timeofday", "proctime", "setseed"});
  return *kNames;
}

// Fallible functions that fail only for values at the end of a type's range.
const Names& OverflowNames() {
  static const auto* const kNames = new Names({"add", "sub", "mul", "neg", "abs", "round"});
  return *kNames;
}

// The catalog's entry; null for special forms (and, coalesce, is_null, in, …), none of which fails
// by itself, and of which only NOT gives NULL whenever an argument is NULL.
const FunctionEntry* EntryOf(const Expr& call) { return FindImplementation(call.function); }

bool IsStrict(const Expr& call) {
  const FunctionEntry* entry = EntryOf(call);
  if (entry == nullptr) return FunctionName(call) == "not";
  return (entry->traits & kTakesNulls) == 0;
}

std::set<int> Union(std::set<int> a, const std::set<int>& b) {
  a.insert(b.begin(), b.end());
  return a;
}

std::set<int> Intersection(const std::set<int>& a, const std::set<int>& b) {
  std::set<int> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
  return both;
}

bool IsNonZeroNumber(const Expr& expr) {
  if (expr.kind != ExprKind::kLiteral) return false;
  const auto& value = expr.literal.value;
  // −1 is left out: the least integer divided by it overflows.
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer != 0 && *integer != -1;
  if (const auto* real = std::get_if<double>(&value)) return *real != 0;
  if (const auto* numeric = std::get_if<__int128>(&value)) return *numeric != 0;
  return false;
}

Failure FailureOfCall(const Expr& call) {
  const FunctionEntry* entry = EntryOf(call);
  if (entry == nullptr || (entry->traits & kFallible) == 0) return Failure::kNever;
  const absl::string_view name = FunctionName(call);
  if (OverflowNames().contains(name)) return Failure::kOverflow;
  const bool divides = name == "div_op" || name == "div" || name == "mod";
  if (divides && call.args.size() == 2 && IsNonZeroNumber(*call.args[1])) {
    return Failure::kOverflow;
  }
  if ((name == "substring" || name == "substr") && call.args.size() >= 2) {
    const bool literals = std::all_of(call.args.begin() + 1, call.args.end(), [](const auto& arg) {
      return arg->kind == ExprKind::kLiteral && IsNonZeroNumber(*arg) && arg->type.is_integer() &&
             std::get<int64_t>(arg->literal.value) > 0;
    });
    if (literals) return Failure::kNever;
  }
  return Failure::kData;
}

Failure FailureOfCast(const SqlType& from, const SqlType& to) {
  if (from.id == to.id && !from.is_numeric() && !from.is_string()) return Failure::kNever;
  if (to.is_string()) return Failure::kNever;
  if (from.is_integer() && to.is_integer() && from.id < to.id) return Failure::kNever;
  if (from.is_number() && to.is_number()) return Failure::kOverflow;
  const bool times = (from.is_timestamp() || from.id == TypeId::kDate) &&
                     (to.is_timestamp() || to.id == TypeId::kDate);
  return times ? Failure::kNever : Failure::kData;
}

}  // namespace

absl::string_view FunctionName(const Expr& call) {
  const absl::string_view full = call.function;
  return full.substr(0, full.find('('));
}

bool IsVolatile(const Expr& expr) {
  if (expr.kind == ExprKind::kCall && VolatileNames().contains(FunctionName(expr))) return true;
  return std::any_of(expr.args.begin(), expr.args.end(),
                     [](const ExprPtr& arg) { return IsVolatile(*arg); });
}

Failure FailureOf(const Expr& expr) {
  Failure worst = Failure::kNever;
  if (expr.kind == ExprKind::kCall) worst = FailureOfCall(expr);
  if (expr.kind == ExprKind::kCast) worst = FailureOfCast(expr.args[0]->type, expr.type);
  for (const ExprPtr& arg : expr.args) worst = std::max(worst, FailureOf(*arg));
  return worst;
}

std::set<int> ColumnsNotNullIfNotNull(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kColumn:
      return {expr.column_index};
    case ExprKind::kCast:
      return ColumnsNotNullIfNotNull(*expr.args[0]);
    case ExprKind::kLiteral:
    case ExprKind::kCase:
      return {};
    case ExprKind::kCall:
      break;
  }
  const absl::string_view name = FunctionName(expr);
  // A NULL needle gives NULL, a NULL in the list need not.
  if (name == "in") return ColumnsNotNullIfNotNull(*expr.args[0]);
  std::set<int> columns;
  if (!IsStrict(expr)) return columns;
  for (const ExprPtr& arg : expr.args) columns = Union(columns, ColumnsNotNullIfNotNull(*arg));
  return columns;
}

std::set<int> ColumnsNotNullIfTrue(const Expr& expr) {
  if (expr.kind != ExprKind::kCall) return ColumnsNotNullIfNotNull(expr);
  const absl::string_view name = FunctionName(expr);
  if (name == "and" || name == "or") {
    std::set<int> columns = ColumnsNotNullIfTrue(*expr.args[0]);
    for (size_t i = 1; i < expr.args.size(); ++i) {
      const std::set<int> more = ColumnsNotNullIfTrue(*expr.args[i]);
      columns = name == "and" ? Union(columns, more) : Intersection(columns, more);
    }
    return columns;
  }
  if (name == "is_not_null") return ColumnsNotNullIfNotNull(*expr.args[0]);
  if (name == "is_true") return ColumnsNotNullIfTrue(*expr.args[0]);
  if (name == "is_false") return ColumnsNotNullIfNotNull(*expr.args[0]);
  if (name == "not" && expr.args[0]->kind == ExprKind::kCall &&
      FunctionName(*expr.args[0]) == "is_null") {
    return ColumnsNotNullIfNotNull(*expr.args[0]->args[0]);
  }
  return ColumnsNotNullIfNotNull(expr);
}

bool IsEquality(const Expr& expr) {
  return expr.kind == ExprKind::kCall && FunctionName(expr) == "eq" && expr.args.size() == 2;
}

bool IsComparison(const Expr& expr) {
  static const auto* const kNames = new Names({"eq", "ne", "lt", "le", "gt", "ge"});
  return expr.kind == ExprKind::kCall && expr.args.size() == 2 &&
         kNames->contains(FunctionName(expr));
}

bool IsTrueLiteral(const Expr& expr) {
  const bool* value =
      expr.kind == ExprKind::kLiteral ? std::get_if<bool>(&expr.literal.value) : nullptr;
  return value != nullptr && *value;
}

bool IsFalseOrNullLiteral(const Expr& expr) {
  if (expr.kind != ExprKind::kLiteral) return false;
  const bool* value = std::get_if<bool>(&expr.literal.value);
  return expr.literal.is_null() || (value != nullptr && !*value);
}

}  // namespace millrace
