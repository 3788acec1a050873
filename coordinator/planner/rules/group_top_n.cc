#include "coordinator/planner/rules/group_top_n.h"

#include <algorithm>
#include <utility>

#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

// The greatest row number that passes "number < 4", "number <= 3", "3 >= number", "number = 1".
std::optional<uint64_t> UpperBound(const Expr& conjunct, int number) {
  if (!IsComparison(conjunct)) return std::nullopt;
  const Expr* column = conjunct.args[0].get();
  const Expr* literal = conjunct.args[1].get();
  const bool swapped = literal->kind == ExprKind::kColumn;
  if (swapped) std::swap(column, literal);
  const int64_t* value = std::get_if<int64_t>(&literal->literal.value);
  const bool fits = column->kind == ExprKind::kColumn && column->column_index == number &&
                    literal->kind == ExprKind::kLiteral && value != nullptr;
  if (!fits) return std::nullopt;
  const absl::string_view name = FunctionName(conjunct);
  const bool below = name == (swapped ? "gt" : "lt");
  const bool at_most = name == (swapped ? "ge" : "le");
  // Row numbers begin at 1, so this equality is a bound.
  const bool first = name == "eq" && *value == 1;
  if (!below && !at_most && !first) return std::nullopt;
  const int64_t bound = below ? *value - 1 : *value;
  return bound < 1 ? 0 : static_cast<uint64_t>(bound);
}

}  // namespace

std::optional<GroupTopNMatch> MatchGroupTopN(const LogicalFilter& filter) {
  if (filter.inputs[0]->kind != LogicalKind::kOver) return std::nullopt;
  const auto& over = As<LogicalOver>(*filter.inputs[0]);
  const bool numbers_only = over.calls.size() == 1 && !over.calls[0].aggregate.has_value() &&
                            over.calls[0].ranking == "row_number";
  if (!numbers_only) return std::nullopt;
  GroupTopNMatch match;
  match.over = &over;
  bool bounded = false;
  for (const ExprPtr& conjunct : SplitConjunction(filter.predicate)) {
    const std::optional<uint64_t> bound = UpperBound(*conjunct, Width(over) - 1);
    if (!bound.has_value()) {
      match.rest.push_back(conjunct);
      continue;
    }
    match.limit = bounded ? std::min(match.limit, *bound) : *bound;
    bounded = true;
  }
  if (!bounded || match.limit == 0) return std::nullopt;
  return match;
}

}  // namespace millrace
