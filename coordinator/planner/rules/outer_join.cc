#include "coordinator/planner/rules/outer_join.h"

namespace millrace {

JoinType LeastOuterType(JoinType type, const std::set<int>& rejected, int left_width) {
  const bool rejects_left = !rejected.empty() && *rejected.begin() < left_width;
  const bool rejects_right = !rejected.empty() && *rejected.rbegin() >= left_width;
  switch (type) {
    case JoinType::kLeft:
      return rejects_right ? JoinType::kInner : type;
    case JoinType::kRight:
      return rejects_left ? JoinType::kInner : type;
    case JoinType::kFull:
      if (rejects_left && rejects_right) return JoinType::kInner;
      if (rejects_left) return JoinType::kLeft;
      return rejects_right ? JoinType::kRight : type;
    default:
      return type;
  }
}

}  // namespace millrace
