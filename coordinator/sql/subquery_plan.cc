#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/expr/internal_calls.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/expr_rewrite.h"
#include "coordinator/sql/select_parts.h"
#include "coordinator/sql/subquery_join.h"

// SubqueryList::Attach: what a subquery's value becomes in terms of joins and aggregates.

namespace millrace {
namespace {

const SqlType kBigint = SqlType::Of(TypeId::kInt64);
const SqlType kBoolean = SqlType::Of(TypeId::kBoolean);

// True if the plan has exactly one row, whatever is in the tables.
bool HasOneRow(const LogicalNode& plan) {
  switch (plan.kind) {
    case LogicalKind::kProject:
      return HasOneRow(*plan.inputs[0]);
    case LogicalKind::kAggregate:
      return static_cast<const LogicalAggregate&>(plan).keys.empty() &&
             !static_cast<const LogicalAggregate&>(plan).aggregates.empty();
    case LogicalKind::kValues:
      return static_cast<const LogicalValues&>(plan).rows.size() == 1;
    default:
      return false;
  }
}

AggregateCall Count(std::vector<int> args) {
  AggregateCall call;
  call.function = args.empty() ? AggregateFunction::kCountStar : AggregateFunction::kCount;
  call.args = std::move(args);
  call.type = kBigint;
  return call;
}

LogicalPtr Single(LogicalPtr plan) {
  if (HasOneRow(*plan)) return plan;
  AggregateCall call;
  call.function = AggregateFunction::kSingleValue;
  call.args = {0};
  call.type = plan->output[0].type;
  return NewAggregate(std::move(plan), {}, {std::move(call)});
}

ExprPtr Bigint(int64_t value) { return MakeLiteral(Value{kBigint, value}); }

// The value of `operand IN (plan)`: the operand joined to the different values of the plan tells a
// match; the numbers of rows and of NULLs decide between false and unknown where there is none.
absl::StatusOr<LogicalPtr> AttachMark(LogicalPtr input, const SubqueryItem& item, ExprPtr* value) {
  const int32_t position = item.position;
  const int width = static_cast<int>(input->output.size());
  const SqlType type = item.plan->output[0].type;
  LogicalPtr distinct = NewDistinct(item.plan);
  LogicalPtr values =
      NewProject(std::move(distinct), {MakeColumn(0, type), MakeBoolean(true)}, {"value", "found"});
  MR_ASSIGN_OR_RETURN(
      ExprPtr equal,
      BuildOperator("=", {item.operand, MakeColumn(width, type, position)}, position));
  LogicalPtr joined =
      NewJoin(JoinType::kLeft, std::move(input), std::move(values), std::move(equal));
  LogicalPtr counts = NewAggregate(item.plan, {}, {Count({}), Count({0})});
  joined = NewJoin(JoinType::kInner, std::move(joined), std::move(counts), nullptr);
  constexpr int kFound = 1;
  constexpr int kRows = 2;
  constexpr int kNotNull = 3;
  const ExprPtr rows = MakeColumn(width + kRows, kBigint);
  MR_ASSIGN_OR_RETURN(ExprPtr empty, BuildOperator("=", {rows, Bigint(0)}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr no_operand, BuildIsTest("null", item.operand, position));
  MR_ASSIGN_OR_RETURN(ExprPtr some_null,
                      BuildOperator("<", {MakeColumn(width + kNotNull, kBigint), rows}, position));
  const ExprPtr unknown = MakeLiteral(Value::Null(kBoolean), position);
  MR_ASSIGN_OR_RETURN(*value,
                      BuildCase({std::move(empty), std::move(no_operand),
                                 MakeColumn(width + kFound, kBoolean), std::move(some_null)},
                                {MakeBoolean(false), unknown, MakeBoolean(true), unknown},
                                MakeBoolean(false), position));
  return joined;
}

absl::StatusOr<LogicalPtr> AttachExists(LogicalPtr input, const SubqueryItem& item,
                                        ExprPtr* value) {
  const int width = static_cast<int>(input->output.size());
  LogicalPtr count = NewAggregate(item.plan, {}, {Count({})});
  MR_ASSIGN_OR_RETURN(*value,
                      BuildOperator(">", {MakeColumn(width, kBigint), Bigint(0)}, item.position));
  return NewJoin(JoinType::kInner, std::move(input), std::move(count), nullptr);
}

// `operand > ANY (plan)` and the like: the least and the largest value decide, and the numbers of
// rows and of NULLs where those do not.
absl::StatusOr<LogicalPtr> AttachBounds(LogicalPtr input, const SubqueryItem& item,
                                        ExprPtr* value) {
  const int32_t position = item.position;
  const int width = static_cast<int>(input->output.size());
  const SqlType type = item.plan->output[0].type;
  std::vector<AggregateCall> calls = {Count({}), Count({0})};
  for (const char* name : {"min", "max"}) {
    MR_ASSIGN_OR_RETURN(const ResolvedAggregate bound,
                        ResolveAggregate(name, {MakeColumn(0, type, position)}, position));
    AggregateCall call;
    call.function = bound.function;
    call.args = {0};
    call.type = bound.type;
    calls.push_back(std::move(call));
  }
  const SqlType bound_type = calls.back().type;
  LogicalPtr joined = NewJoin(JoinType::kInner, std::move(input),
                              NewAggregate(item.plan, {}, std::move(calls)), nullptr);
  const ExprPtr rows = MakeColumn(width, kBigint);
  const ExprPtr given = MakeColumn(width + 1, kBigint);
  const ExprPtr least = MakeColumn(width + 2, bound_type, position);
  const ExprPtr largest = MakeColumn(width + 3, bound_type, position);
  const bool upward = item.comparison[0] == '>';
  ExprPtr decides;
  if (item.comparison == "=") {
    // Equal to all of them: to the least and to the largest.
    MR_ASSIGN_OR_RETURN(ExprPtr low, BuildOperator("=", {item.operand, least}, position));
    MR_ASSIGN_OR_RETURN(ExprPtr high, BuildOperator("=", {item.operand, largest}, position));
    MR_ASSIGN_OR_RETURN(decides, BuildAnd({std::move(low), std::move(high)}, position));
  } else {
    const ExprPtr& bound = upward == item.for_all ? largest : least;
    MR_ASSIGN_OR_RETURN(decides, BuildOperator(item.comparison, {item.operand, bound}, position));
  }
  if (item.for_all) {
    MR_ASSIGN_OR_RETURN(decides, BuildNot(std::move(decides), position));
  }
  MR_ASSIGN_OR_RETURN(ExprPtr empty, BuildOperator("=", {rows, Bigint(0)}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr no_operand, BuildIsTest("null", item.operand, position));
  MR_ASSIGN_OR_RETURN(ExprPtr some_null, BuildOperator("<", {given, rows}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr open,
                      BuildOr({std::move(no_operand), std::move(some_null)}, position));
  const ExprPtr unknown = MakeLiteral(Value::Null(kBoolean), position);
  MR_ASSIGN_OR_RETURN(*value,
                      BuildCase({std::move(empty), std::move(decides), std::move(open)},
                                {MakeBoolean(item.for_all), MakeBoolean(!item.for_all), unknown},
                                MakeBoolean(item.for_all), position));
  return joined;
}

// A correlated subquery gives one row for each value of its keys; an outer row without one takes
// the value of an empty subquery.
absl::StatusOr<LogicalPtr> AttachCorrelated(LogicalPtr input, const SubqueryItem& item,
                                            ExprPtr* value) {
  const int width = static_cast<int>(input->output.size());
  const ExprPtr condition = OverJoinedRow(item.correlation, width);
  const int last = width + static_cast<int>(item.plan->output.size());
  LogicalPtr right = item.plan;
  const bool exists = item.kind == SubqueryKind::kExists;
  const bool marks = exists || item.value_without_rows != nullptr;
  if (marks) {
    std::vector<ExprPtr> exprs;
    std::vector<std::string> names;
    for (size_t i = 0; i < right->output.size(); ++i) {
      exprs.push_back(MakeColumn(static_cast<int>(i), right->output[i].type));
      names.push_back(right->output[i].name);
    }
    exprs.push_back(MakeBoolean(true));
    names.emplace_back("found");
    right = NewProject(std::move(right), std::move(exprs), names);
  }
  *value = MakeColumn(width, item.plan->output[0].type, item.position);
  if (item.counts_rows) {
    *value = BuildSingleRowCheck(*value, MakeColumn(width + 1, kBigint), item.position);
  }
  if (exists) {
    MR_ASSIGN_OR_RETURN(*value, BuildIsTest("not_null", MakeColumn(last, kBoolean), item.position));
  } else if (item.value_without_rows != nullptr) {
    MR_ASSIGN_OR_RETURN(ExprPtr missing,
                        BuildIsTest("null", MakeColumn(last, kBoolean), item.position));
    MR_ASSIGN_OR_RETURN(
        *value, BuildCase({std::move(missing)}, {item.value_without_rows}, *value, item.position));
  }
  return NewJoin(JoinType::kLeft, std::move(input), std::move(right), condition);
}

}  // namespace

ExprPtr OverJoinedRow(const ExprPtr& correlation, int left_width) {
  if (correlation == nullptr) return nullptr;
  const auto place = [&](const ExprPtr& part) -> absl::StatusOr<ExprPtr> {
    if (part->kind != ExprKind::kColumn) return ExprPtr();
    const int index = part->column_index >= kOuterColumnBase ? part->column_index - kOuterColumnBase
                                                             : part->column_index + left_width;
    return MakeColumn(index, part->type, part->position);
  };
  // `place` has no errors.
  return *RewriteExpr(correlation, place);
}

absl::StatusOr<LogicalPtr> SubqueryList::AttachOne(LogicalPtr input, const SubqueryItem& item,
                                                   ExprPtr* value) {
  if (item.correlation != nullptr) return AttachCorrelated(std::move(input), item, value);
  switch (item.kind) {
    case SubqueryKind::kMark:
      return AttachMark(std::move(input), item, value);
    case SubqueryKind::kBounds:
      return AttachBounds(std::move(input), item, value);
    case SubqueryKind::kExists:
      return AttachExists(std::move(input), item, value);
    case SubqueryKind::kScalar:
      break;
  }
  *value =
      MakeColumn(static_cast<int>(input->output.size()), item.plan->output[0].type, item.position);
  return NewJoin(JoinType::kInner, std::move(input), Single(item.plan), nullptr);
}

absl::StatusOr<LogicalPtr> SubqueryList::Attach(LogicalPtr input, std::vector<ExprPtr>* columns) {
  for (SubqueryItem& item : items_) {
    // The operand of IN may hold the value of a subquery before it.
    if (item.operand != nullptr) item.operand = ResolvePlaceholders(item.operand, base_, *columns);
    ExprPtr value;
    MR_ASSIGN_OR_RETURN(input, AttachOne(std::move(input), item, &value));
    columns->push_back(std::move(value));
  }
  return input;
}

}  // namespace millrace
