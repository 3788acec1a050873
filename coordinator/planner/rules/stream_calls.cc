#include "coordinator/planner/rules/stream_calls.h"

#include <algorithm>
#include <iterator>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

bool AsksClock(const Expr& call) {
  static constexpr const char* kNames[] = {"now",
                                           "current_timestamp",
                                           "transaction_timestamp",
                                           "statement_timestamp",
                                           "clock_timestamp",
                                           "current_date",
                                           "localtimestamp",
                                           "localtime"};
  const absl::string_view name = FunctionName(call);
  if (name == "age") return call.args.size() == 1;
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

const Expr* FindRefused(const Expr& expr) {
  const bool refused = expr.kind == ExprKind::kCall &&
                       (AsksClock(expr) || FunctionName(expr) == "require_single_row");
  if (refused) return &expr;
  for (const ExprPtr& arg : expr.args) {
    if (const Expr* found = FindRefused(*arg); found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace

absl::Status CheckStreamCalls(const LogicalNode& query) {
  absl::Status status;
  const auto look = [&](const ExprPtr& expr) {
    const Expr* call = status.ok() ? FindRefused(*expr) : nullptr;
    if (call != nullptr && !AsksClock(*call)) {
      status = WithPosition(
          WithHint(NotSupported("a correlated subquery without an aggregate in a stream"),
                   "Aggregate its value, for example with max(), or join."),
          call->position);
    } else if (call != nullptr) {
      status =
          WithPosition(WithHint(NotSupported(absl::StrCat(FunctionName(*call), " in a stream")),
                                "Compare with the clock in the query that reads the result."),
                       call->position);
    }
    return expr;
  };
  for (const LogicalPtr& input : query.inputs) MR_RETURN_IF_ERROR(CheckStreamCalls(*input));
  // The node is looked at, not changed: it outlives the call.
  WithExprs(LogicalPtr(LogicalPtr(), &query), look);
  return status;
}

}  // namespace millrace
