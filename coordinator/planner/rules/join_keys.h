#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// Makes the keys of every join plain columns of equal type: an equality between an expression over
// the left side and one over the right side becomes an equality of two columns, computed by
// projections below (equal expressions once), with a projection above that restores the join's
// output.
LogicalPtr ProjectJoinKeys(const LogicalPtr& node);

// The parts of a join's condition, once ProjectJoinKeys has run.
struct JoinKeys {
  // left[i] = right[i]; both are positions in their own side.
  std::vector<int> left;
  std::vector<int> right;
  // What is left of the condition, over left ++ right.
  std::vector<ExprPtr> residual;
};
JoinKeys SplitJoinCondition(const LogicalJoin& join);

// True if values of the two types can be hashed and compared as keys without a conversion.
bool SameKeyType(const SqlType& a, const SqlType& b);

}  // namespace millrace
