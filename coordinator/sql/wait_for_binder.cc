#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/types/calendar.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/statement_binder.h"
#include "millrace/v1/catalog.pb.h"

// StatementBinder::BindCall.

namespace millrace {
namespace {

// How long CALL millrace.wait_for waits if it is not told.
constexpr int64_t kDefaultWaitMicros = int64_t{60} * 1'000'000;

// CALL millrace.wait_for(view, mode [, value [, timeout]]).
class WaitForBinder {
 public:
  WaitForBinder(const QueryEnvironment& environment, const PgQuery__FuncCall& call)
      : environment_(environment), call_(call), position_(environment.PositionOf(call.location)) {}

  absl::StatusOr<BoundWaitFor> Bind();

 private:
  absl::StatusOr<Value> Argument(size_t index, const SqlType& type);
  absl::Status BindView(BoundWaitFor* wait);
  absl::Status BindTimeout(size_t index, BoundWaitFor* wait);
  absl::Status Wrong(absl::string_view message, int32_t position) const {
    return WithPosition(MakeError(SqlState::kInvalidParameterValue, message,
                                  "Write CALL millrace.wait_for('view', 'complete' | 'watermark' | "
                                  "'rows', value, timeout)."),
                        position);
  }

  const QueryEnvironment& environment_;
  const PgQuery__FuncCall& call_;
  const int32_t position_;
};

absl::StatusOr<Value> WaitForBinder::Argument(size_t index, const SqlType& type) {
  const int32_t position = environment_.PositionOf(LocationOf(call_.args[index]));
  const Scope no_columns;
  ExpressionBinder binder(environment_, no_columns, Clause::kCall, nullptr);
  MR_ASSIGN_OR_RETURN(ExprPtr expr, binder.Bind(call_.args[index]));
  MR_ASSIGN_OR_RETURN(expr, BuildCast(std::move(expr), type, CastContext::kAssignment, position));
  return ConstantValue(*expr, environment_);
}

absl::Status WaitForBinder::BindView(BoundWaitFor* wait) {
  const int32_t position = environment_.PositionOf(LocationOf(call_.args[0]));
  MR_ASSIGN_OR_RETURN(const Value name, Argument(0, SqlType::Of(TypeId::kText)));
  if (name.is_null()) return Wrong("the name of the view is NULL", position);
  const std::string& text = std::get<std::string>(name.value);
  wait->view = environment_.session.catalog.Find(text);
  if (wait->view == nullptr) {
    const std::string nearest = environment_.session.catalog.NearestName(text);
    return WithPosition(
        MakeError(SqlState::kUndefinedTable, absl::StrCat("relation \"", text, "\" does not exist"),
                  nearest.empty() ? "" : absl::StrCat("Perhaps you meant \"", nearest, "\".")),
        position);
  }
  if (wait->view->kind() == v1::OBJECT_KIND_MATERIALIZED_VIEW) return absl::OkStatus();
  return WithPosition(MakeError(SqlState::kWrongObjectType,
                                absl::StrCat("\"", text, "\" is not a materialized view")),
                      position);
}

absl::Status WaitForBinder::BindTimeout(size_t index, BoundWaitFor* wait) {
  MR_ASSIGN_OR_RETURN(const Value timeout, Argument(index, SqlType::Of(TypeId::kInterval)));
  if (timeout.is_null()) return absl::OkStatus();
  const IntervalParts& parts = std::get<IntervalParts>(timeout.value);
  int64_t micros = 0;
  if (parts.months != 0 || __builtin_mul_overflow(int64_t{parts.days}, kMicrosPerDay, &micros) ||
      __builtin_add_overflow(micros, parts.micros, &micros) || micros < 0) {
    return Wrong("the timeout must be a positive interval without months",
                 environment_.PositionOf(LocationOf(call_.args[index])));
  }
  wait->timeout_micros = micros;
  return absl::OkStatus();
}

absl::StatusOr<BoundWaitFor> WaitForBinder::Bind() {
  constexpr size_t kMinArgs = 2;
  constexpr size_t kMaxArgs = 4;
  if (call_.n_args < kMinArgs || call_.n_args > kMaxArgs) {
    return Wrong("millrace.wait_for takes two to four arguments", position_);
  }
  BoundWaitFor wait;
  wait.timeout_micros = kDefaultWaitMicros;
  MR_RETURN_IF_ERROR(BindView(&wait));
  MR_ASSIGN_OR_RETURN(const Value mode, Argument(1, SqlType::Of(TypeId::kText)));
  wait.mode = mode.is_null() ? "" : absl::AsciiStrToLower(std::get<std::string>(mode.value));
  const int32_t mode_position = environment_.PositionOf(LocationOf(call_.args[1]));
  // 'complete' needs no value: a third argument alone is the timeout.
  const bool complete = wait.mode == "complete";
  const size_t timeout_index = complete && call_.n_args == kMaxArgs - 1 ? 2 : 3;
  if (wait.mode == "watermark") {
    wait.value = Value::Null(SqlType::Of(TypeId::kTimestamp));
  } else if (wait.mode == "rows") {
    wait.value = Value::Null(SqlType::Of(TypeId::kInt64));
  } else if (!complete) {
    return Wrong(absl::StrCat("unknown mode \"", wait.mode, "\" of millrace.wait_for"),
                 mode_position);
  }
  if (!complete) {
    if (call_.n_args == kMinArgs) {
      return Wrong(absl::StrCat("mode \"", wait.mode, "\" needs a value"), mode_position);
    }
    MR_ASSIGN_OR_RETURN(wait.value, Argument(2, SqlType(wait.value.type)));
    if (wait.value.is_null()) {
      return Wrong("the value to wait for is NULL",
                   environment_.PositionOf(LocationOf(call_.args[2])));
    }
  }
  if (timeout_index < call_.n_args) MR_RETURN_IF_ERROR(BindTimeout(timeout_index, &wait));
  return wait;
}

}  // namespace

absl::StatusOr<BoundWaitFor> StatementBinder::BindCall(const PgQuery__CallStmt& call) {
  const PgQuery__FuncCall& function = *call.funccall;
  const std::string name =
      absl::StrJoin(StringsOf(Nodes(function.n_funcname, function.funcname)), ".");
  if (name != "millrace.wait_for") {
    return WithPosition(
        MakeError(SqlState::kUndefinedFunction, absl::StrCat("procedure ", name, " does not exist"),
                  "There is millrace.wait_for(view, mode, value, timeout)."),
        PositionOf(function.location));
  }
  return WaitForBinder(environment_, function).Bind();
}

}  // namespace millrace
