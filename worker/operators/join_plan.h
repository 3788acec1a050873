#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/evaluator.h"
#include "common/expr/expr.h"
#include "common/types/sql_type.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

enum class JoinKind { kInner, kLeft, kRight, kFull, kSemi, kAnti, kNullAwareAnti };

// What a HashJoinNode or NestedLoopJoinNode says, checked.
struct JoinPlan {
  JoinKind kind = JoinKind::kInner;
  std::vector<int> left_keys;
  std::vector<int> right_keys;
  // Further condition over left ++ right columns; null = none.
  ExprPtr condition;
  bool symmetric = false;
  // Position in left_keys.
  std::optional<int> window_end_key;
  Schema left;
  Schema right;
  bool left_changing = false;
  bool right_changing = false;
  // The output may take rows back.
  bool changing = false;

  static absl::StatusOr<JoinPlan> From(const v1::PlanNode& node);

  std::vector<SqlType> left_types() const;
  std::vector<SqlType> right_types() const;
  // Null if there is no condition.
  absl::StatusOr<std::unique_ptr<Evaluator>> MakeEvaluator(const EvalContext& context) const;

  // The output has the columns of both sides.
  bool joins_columns() const {
    return kind != JoinKind::kSemi && kind != JoinKind::kAnti && kind != JoinKind::kNullAwareAnti;
  }
  bool keeps_left() const { return kind == JoinKind::kLeft || kind == JoinKind::kFull; }
  bool keeps_right() const { return kind == JoinKind::kRight || kind == JoinKind::kFull; }
};

}  // namespace millrace
