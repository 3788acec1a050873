#include "coordinator/sql/set_operation.h"

#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"

namespace millrace {
namespace {

const SqlType kInteger = SqlType::Of(TypeId::kInt32);
const SqlType kMultiplicityType = SqlType::Of(TypeId::kInt64);

ExprPtr Integer(int64_t value) { return MakeLiteral(Value{kInteger, value}); }

// The rows with two columns more: 1 and 0 for those of the left side, 0 and 1 for the right one's.
LogicalPtr WithSides(const LogicalPtr& plan, bool is_left) {
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (size_t i = 0; i < plan->output.size(); ++i) {
    exprs.push_back(MakeColumn(static_cast<int>(i), plan->output[i].type));
    names.push_back(plan->output[i].name);
  }
  exprs.push_back(Integer(is_left ? 1 : 0));
  names.emplace_back("in_left");
  exprs.push_back(Integer(is_left ? 0 : 1));
  names.emplace_back("in_right");
  return NewProject(plan, std::move(exprs), names);
}

// The groups of equal rows by the sides that they come from.
absl::StatusOr<LogicalPtr> CombineDistinct(SetOperation operation, LogicalPtr rows, int width,
                                           const std::vector<int>& keys) {
  std::vector<AggregateCall> calls;
  for (const int column : {width, width + 1}) {
    AggregateCall call;
    call.function = AggregateFunction::kMax;
    call.args = {column};
    call.type = kInteger;
    calls.push_back(std::move(call));
  }
  LogicalPtr groups = NewAggregate(std::move(rows), keys, std::move(calls));
  const int64_t in_right = operation == SetOperation::kIntersect ? 1 : 0;
  MR_ASSIGN_OR_RETURN(ExprPtr left,
                      BuildOperator("=", {MakeColumn(width, kInteger), Integer(1)}, 0));
  MR_ASSIGN_OR_RETURN(ExprPtr right,
                      BuildOperator("=", {MakeColumn(width + 1, kInteger), Integer(in_right)}, 0));
  return NewFilter(std::move(groups), MakeConjunction({std::move(left), std::move(right)}));
}

// Equal rows of the left side are numbered, and the number of those of the right side tells how
// many stay or go.
absl::StatusOr<LogicalPtr> CombineAll(SetOperation operation, LogicalPtr rows, int width,
                                      const std::vector<int>& keys) {
  OverCall number;
  number.ranking = "row_number";
  number.type = kMultiplicityType;
  OverCall right;
  right.aggregate.emplace();
  right.aggregate->function = AggregateFunction::kSum;
  right.aggregate->args = {width + 1};
  right.aggregate->type = kMultiplicityType;
  right.type = kMultiplicityType;
  right.frame.unit = FrameUnit::kRows;
  right.frame.end = FrameBoundKind::kUnboundedFollowing;
  const SortKey left_first{MakeColumn(width, kInteger), true, true};
  LogicalPtr numbered = NewOver(std::move(rows), keys, {left_first}, {number, right});
  MR_ASSIGN_OR_RETURN(ExprPtr left,
                      BuildOperator("=", {MakeColumn(width, kInteger), Integer(1)}, 0));
  const ExprPtr place = MakeColumn(width + 2, kMultiplicityType);
  const ExprPtr count = MakeColumn(width + 3, kMultiplicityType);
  const char* op = operation == SetOperation::kIntersect ? "<=" : ">";
  MR_ASSIGN_OR_RETURN(ExprPtr stays, BuildOperator(op, {place, count}, 0));
  return NewFilter(std::move(numbered), MakeConjunction({std::move(left), std::move(stays)}));
}

}  // namespace

absl::StatusOr<LogicalPtr> CombineSets(SetOperation operation, bool all, const LogicalPtr& left,
                                       const LogicalPtr& right) {
  const size_t width = left->output.size();
  if (width == 0) return NotSupported("INTERSECT and EXCEPT without columns");
  std::vector<int> keys(width);
  std::iota(keys.begin(), keys.end(), 0);
  LogicalPtr rows = NewUnionAll({WithSides(left, true), WithSides(right, false)});
  const int columns = static_cast<int>(width);
  LogicalPtr result;
  if (all) {
    MR_ASSIGN_OR_RETURN(result, CombineAll(operation, std::move(rows), columns, keys));
  } else {
    MR_ASSIGN_OR_RETURN(result, CombineDistinct(operation, std::move(rows), columns, keys));
  }
  return NewPrefix(std::move(result), width);
}

}  // namespace millrace
