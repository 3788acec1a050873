#include "coordinator/sql/series_binder.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/datetime_math.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"

namespace millrace {
namespace {

constexpr char kName[] = "generate_series";
// Rows that a plan holds one by one; longer series are products of shorter ones.
constexpr int64_t kMaxRowsOfPlan = 1'000;
constexpr int64_t kMaxTimes = 100'000;
constexpr int64_t kMaxRows = int64_t{1'000'000'000'000};

const SqlType kSeriesBigint = SqlType::Of(TypeId::kInt64);

ExprPtr SeriesBigint(int64_t value) { return MakeLiteral(Value{kSeriesBigint, value}); }

LogicalPtr Rows(const SqlType& type, const std::vector<int64_t>& values) {
  std::vector<std::vector<ExprPtr>> rows;
  rows.reserve(values.size());
  for (const int64_t value : values) rows.push_back({MakeLiteral(Value{type, value})});
  return NewValues({{kName, type}}, std::move(rows));
}

LogicalPtr Counting(int64_t count) {
  std::vector<int64_t> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = i;
  return Rows(kSeriesBigint, values);
}

class SeriesBinder {
 public:
  SeriesBinder(const PgQuery__FuncCall& call, const QueryEnvironment& environment)
      : call_(call), environment_(environment), position_(environment.PositionOf(call.location)) {}

  absl::StatusOr<LogicalPtr> Bind();

 private:
  absl::StatusOr<LogicalPtr> BindIntegers();
  absl::StatusOr<LogicalPtr> BindTimes();
  // 0, 1, … num_rows − 1 as a product of short lists.
  absl::StatusOr<LogicalPtr> LongCounting(int64_t num_rows) const;
  absl::StatusOr<Value> Constant(size_t index, const SqlType& type);
  absl::Status ZeroStep() const {
    return WithPosition(MakeError(SqlState::kInvalidParameterValue, "step size cannot equal zero"),
                        position_);
  }

  const PgQuery__FuncCall& call_;
  const QueryEnvironment& environment_;
  const int32_t position_;
  std::vector<ExprPtr> args_;
};

absl::StatusOr<LogicalPtr> SeriesBinder::Bind() {
  const Scope no_columns;
  ExpressionBinder binder(environment_, no_columns, Clause::kFromFunction, nullptr);
  for (const ParseNode* node : Nodes(call_.n_args, call_.args)) {
    MR_ASSIGN_OR_RETURN(ExprPtr arg, binder.Bind(node));
    args_.push_back(std::move(arg));
  }
  const bool counts = args_.size() == 2 || args_.size() == 3;
  const auto integer = [](const ExprPtr& arg) {
    return arg->type.is_integer() || arg->type.id == TypeId::kUnknown;
  };
  if (counts && std::all_of(args_.begin(), args_.end(), integer)) return BindIntegers();
  const bool times = args_.size() == 3 && (args_[2]->type.id == TypeId::kInterval ||
                                           args_[2]->type.id == TypeId::kUnknown);
  const auto time = [](const ExprPtr& arg) {
    return arg->type.is_timestamp() || arg->type.id == TypeId::kDate ||
           arg->type.id == TypeId::kUnknown;
  };
  if (times && time(args_[0]) && time(args_[1])) return BindTimes();
  return WithPosition(WithHint(NotSupported("generate_series with these arguments"),
                               "It takes constants: integers, or two timestamps and an interval."),
                      position_);
}

absl::StatusOr<Value> SeriesBinder::Constant(size_t index, const SqlType& type) {
  MR_ASSIGN_OR_RETURN(ExprPtr arg,
                      BuildCast(args_[index], type, CastContext::kImplicit, position_));
  return ConstantValue(*arg, environment_);
}

absl::StatusOr<LogicalPtr> SeriesBinder::LongCounting(int64_t num_rows) const {
  LogicalPtr plan = Counting(kMaxRowsOfPlan);
  ExprPtr number = MakeColumn(0, kSeriesBigint);
  int64_t product = kMaxRowsOfPlan;
  while (product < num_rows) {
    const int64_t rows = std::min(kMaxRowsOfPlan, (num_rows + product - 1) / product);
    const ExprPtr digit = MakeColumn(static_cast<int>(plan->output.size()), kSeriesBigint);
    plan = NewJoin(JoinType::kInner, std::move(plan), Counting(rows), nullptr);
    MR_ASSIGN_OR_RETURN(ExprPtr high,
                        BuildOperator("*", {digit, SeriesBigint(product)}, position_));
    MR_ASSIGN_OR_RETURN(number, BuildOperator("+", {std::move(high), number}, position_));
    product *= rows;
  }
  plan = NewProject(std::move(plan), {std::move(number)}, {kName});
  MR_ASSIGN_OR_RETURN(
      ExprPtr wanted,
      BuildOperator("<", {MakeColumn(0, kSeriesBigint), SeriesBigint(num_rows)}, position_));
  return NewFilter(std::move(plan), std::move(wanted));
}

absl::StatusOr<LogicalPtr> SeriesBinder::BindIntegers() {
  const bool wide = std::any_of(args_.begin(), args_.end(),
                                [](const ExprPtr& arg) { return arg->type.id == TypeId::kInt64; });
  const SqlType type = wide ? kSeriesBigint : SqlType::Of(TypeId::kInt32);
  int64_t numbers[3] = {0, 0, 1};
  for (size_t i = 0; i < args_.size(); ++i) {
    MR_ASSIGN_OR_RETURN(const Value value, Constant(i, kSeriesBigint));
    if (value.is_null()) return Rows(type, {});
    numbers[i] = std::get<int64_t>(value.value);
  }
  const auto [start, stop, step] = numbers;
  if (step == 0) return ZeroStep();
  const __int128 distance = step > 0 ? __int128{stop} - start : __int128{start} - stop;
  if (distance < 0) return Rows(type, {});
  const __int128 num_rows = distance / (step > 0 ? __int128{step} : -__int128{step}) + 1;
  if (num_rows > kMaxRows) {
    return WithPosition(
        MakeError(SqlState::kProgramLimitExceeded, "generate_series has more than 10^12 rows"),
        position_);
  }
  const auto count = static_cast<int64_t>(num_rows);
  if (count <= kMaxRowsOfPlan) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(start + i * step);
    return Rows(type, values);
  }
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, LongCounting(count));
  MR_ASSIGN_OR_RETURN(
      ExprPtr steps,
      BuildOperator("*", {MakeColumn(0, kSeriesBigint), SeriesBigint(step)}, position_));
  MR_ASSIGN_OR_RETURN(ExprPtr value,
                      BuildOperator("+", {SeriesBigint(start), std::move(steps)}, position_));
  MR_ASSIGN_OR_RETURN(value,
                      BuildCast(std::move(value), type, CastContext::kAssignment, position_));
  return NewProject(std::move(plan), {std::move(value)}, {kName});
}

absl::StatusOr<LogicalPtr> SeriesBinder::BindTimes() {
  // Dates become timestamps with a time zone, which PostgreSQL prefers.
  const bool zoned = std::none_of(args_.begin(), args_.begin() + 2, [](const ExprPtr& arg) {
    return arg->type.id == TypeId::kTimestamp;
  });
  const SqlType type = SqlType::Of(zoned ? TypeId::kTimestampTz : TypeId::kTimestamp);
  int64_t bounds[2] = {0, 0};
  for (size_t i = 0; i < 2; ++i) {
    MR_ASSIGN_OR_RETURN(const Value value, Constant(i, type));
    if (value.is_null()) return Rows(type, {});
    bounds[i] = std::get<int64_t>(value.value);
  }
  MR_ASSIGN_OR_RETURN(const Value step, Constant(2, SqlType::Of(TypeId::kInterval)));
  if (step.is_null()) return Rows(type, {});
  const auto& interval = std::get<IntervalParts>(step.value);
  constexpr int64_t kDaysOfMonth = 30;
  const __int128 length =
      (__int128{interval.months} * kDaysOfMonth + interval.days) * kMicrosPerDay + interval.micros;
  if (length == 0) return ZeroStep();
  std::vector<int64_t> values;
  for (int64_t at = bounds[0]; length > 0 ? at <= bounds[1] : at >= bounds[1];) {
    if (static_cast<int64_t>(values.size()) == kMaxTimes) {
      return WithPosition(NotSupported(absl::StrCat("a series of more than ", kMaxTimes, " times")),
                          position_);
    }
    values.push_back(at);
    MR_RETURN_IF_ERROR(WithPosition(AddInterval(at, interval, &at), position_));
  }
  return Rows(type, values);
}

}  // namespace

absl::StatusOr<LogicalPtr> BindSeries(const PgQuery__FuncCall& call,
                                      const QueryEnvironment& environment) {
  return SeriesBinder(call, environment).Bind();
}

}  // namespace millrace
