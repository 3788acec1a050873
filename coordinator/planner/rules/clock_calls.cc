#include "coordinator/planner/rules/clock_calls.h"

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

const Expr* FindClockCall(const Expr& expr) {
  if (expr.kind == ExprKind::kCall && AsksClock(expr)) return &expr;
  for (const ExprPtr& arg : expr.args) {
    if (const Expr* found = FindClockCall(*arg); found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace

absl::Status RefuseClock(const LogicalNode& query) {
  absl::Status status;
  const auto look = [&](const ExprPtr& expr) {
    const Expr* call = status.ok() ? FindClockCall(*expr) : nullptr;
    if (call != nullptr) {
      status =
          WithPosition(WithHint(NotSupported(absl::StrCat(FunctionName(*call), " in a stream")),
                                "Compare with the clock in the query that reads the result."),
                       call->position);
    }
    return expr;
  };
  for (const LogicalPtr& input : query.inputs) MR_RETURN_IF_ERROR(RefuseClock(*input));
  // The node is looked at, not changed: it outlives the call.
  WithExprs(LogicalPtr(LogicalPtr(), &query), look);
  return status;
}

}  // namespace millrace
