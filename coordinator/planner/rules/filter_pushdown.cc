#include "coordinator/planner/rules/filter_pushdown.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"
#include "coordinator/planner/rules/or_factoring.h"
#include "coordinator/planner/rules/outer_join.h"

namespace millrace {
namespace {

using Conjuncts = std::vector<ExprPtr>;
using Test = std::function<bool(const Expr&)>;

// Conditions on the output of a node that is being rewritten.
struct Pending {
  // In the order of evaluation.
  Conjuncts conjuncts;
  // Output columns for which rows with NULL are dropped further up.
  std::set<int> rejected;
};

LogicalPtr Push(const LogicalPtr& node, Pending pending);

// What goes below a node, and what stays above it.
struct Parted {
  Conjuncts below;
  Conjuncts above;
};

// Parts by `may_move`, keeping the order; nothing volatile moves, and nothing that may fail passes
// a condition that stays.
Parted Part(const Conjuncts& conjuncts, const Test& may_move) {
  Parted parted;
  for (const ExprPtr& conjunct : conjuncts) {
    const bool guarded = !parted.above.empty() && FailureOf(*conjunct) == Failure::kData;
    const bool moves = !guarded && !IsVolatile(*conjunct) && may_move(*conjunct);
    (moves ? parted.below : parted.above).push_back(conjunct);
  }
  return parted;
}

void AddUnlessThere(Conjuncts* to, const ExprPtr& conjunct) {
  const auto same = [&](const ExprPtr& other) { return SameExpr(*other, *conjunct); };
  if (std::none_of(to->begin(), to->end(), same)) to->push_back(conjunct);
}

std::set<int> RejectedBy(const Conjuncts& conjuncts) {
  std::set<int> rejected;
  for (const ExprPtr& conjunct : conjuncts) {
    const std::set<int> more = ColumnsNotNullIfTrue(*conjunct);
    rejected.insert(more.begin(), more.end());
  }
  return rejected;
}

// The part of `rejected` in [begin, end), renumbered from 0.
std::set<int> Window(const std::set<int>& rejected, int begin, int end) {
  std::set<int> part;
  for (int column : rejected) {
    if (column >= begin && column < end) part.insert(column - begin);
  }
  return part;
}

// The node's only input, rewritten under `pending`.
LogicalPtr PushIntoInput(const LogicalPtr& node, Pending pending) {
  return WithInputs(node, {Push(node->inputs[0], std::move(pending))});
}

// Rewrites the inputs of a node that no condition passes.
LogicalPtr StopAt(const LogicalPtr& node, const Conjuncts& conjuncts) {
  std::vector<LogicalPtr> inputs;
  for (const LogicalPtr& input : node->inputs) inputs.push_back(Push(input, {}));
  return MakeFilter(WithInputs(node, std::move(inputs)), conjuncts);
}

LogicalPtr PushThroughFilter(const LogicalPtr& node, Pending pending) {
  Conjuncts all = SplitConjunction(FactorOr(As<LogicalFilter>(*node).predicate));
  for (const ExprPtr& conjunct : pending.conjuncts) AddUnlessThere(&all, conjunct);
  const Parted parted = Part(all, [](const Expr&) { return true; });
  pending.conjuncts = parted.below;
  const std::set<int> more = RejectedBy(parted.below);
  pending.rejected.insert(more.begin(), more.end());
  return MakeFilter(Push(node->inputs[0], std::move(pending)), parted.above);
}

LogicalPtr PushThroughProject(const LogicalPtr& node, const Pending& pending) {
  const auto& project = As<LogicalProject>(*node);
  const Parted parted = Part(pending.conjuncts, [&](const Expr& conjunct) {
    bool stable = true;
    ForEachColumn(conjunct, [&](int column) { stable &= !IsVolatile(*project.exprs[column]); });
    return stable;
  });
  Pending below;
  for (const ExprPtr& conjunct : parted.below) {
    below.conjuncts.push_back(ReplaceColumns(conjunct, project.exprs));
  }
  below.rejected = RejectedBy(below.conjuncts);
  for (int column : pending.rejected) {
    const std::set<int> more = ColumnsNotNullIfNotNull(*project.exprs[column]);
    below.rejected.insert(more.begin(), more.end());
  }
  return MakeFilter(PushIntoInput(node, std::move(below)), parted.above);
}

// Conditions on the first `width` output columns that satisfy `may_move` go below; the columns have
// the same numbers there.
LogicalPtr PushOnPassedColumns(const LogicalPtr& node, const Pending& pending,
                               const Test& may_move) {
  const int width = Width(*node->inputs[0]);
  const Parted parted = Part(pending.conjuncts, [&](const Expr& conjunct) {
    return ColumnsWithin(conjunct, 0, width) && may_move(conjunct);
  });
  return MakeFilter(PushIntoInput(node, {parted.below, RejectedBy(parted.below)}), parted.above);
}

LogicalPtr PushThroughAggregate(const LogicalPtr& node, const Pending& pending) {
  const auto& aggregate = As<LogicalAggregate>(*node);
  const int num_keys = static_cast<int>(aggregate.keys.size());
  const Parted parted = Part(pending.conjuncts, [&](const Expr& conjunct) {
    return num_keys > 0 && ColumnsWithin(conjunct, 0, num_keys);
  });
  Pending below;
  for (const ExprPtr& conjunct : parted.below) {
    below.conjuncts.push_back(RemapColumns(conjunct, aggregate.keys));
  }
  below.rejected = RejectedBy(below.conjuncts);
  for (int column : pending.rejected) {
    if (column < num_keys) below.rejected.insert(aggregate.keys[column]);
  }
  return MakeFilter(PushIntoInput(node, std::move(below)), parted.above);
}

LogicalPtr PushThroughOver(const LogicalPtr& node, const Pending& pending) {
  const std::vector<int>& keys = As<LogicalOver>(*node).partition_keys;
  return PushOnPassedColumns(node, pending, [&](const Expr& conjunct) {
    bool on_keys = !keys.empty();
    ForEachColumn(conjunct, [&](int column) {
      on_keys &= std::find(keys.begin(), keys.end(), column) != keys.end();
    });
    return on_keys;
  });
}

LogicalPtr PushThroughUnion(const LogicalPtr& node, const Pending& pending) {
  const Parted parted = Part(pending.conjuncts, [](const Expr&) { return true; });
  std::vector<LogicalPtr> inputs;
  for (const LogicalPtr& input : node->inputs) {
    inputs.push_back(Push(input, {parted.below, RejectedBy(parted.below)}));
  }
  return MakeFilter(WithInputs(node, std::move(inputs)), parted.above);
}

LogicalPtr PushIntoScan(const LogicalPtr& node, const Conjuncts& conjuncts) {
  const Parted parted = Part(conjuncts, [](const Expr&) { return true; });
  if (parted.below.empty()) return MakeFilter(node, parted.above);
  auto scan = std::make_shared<LogicalScan>(As<LogicalScan>(*node));
  Conjuncts all;
  if (scan->filter != nullptr) all = SplitConjunction(scan->filter);
  for (const ExprPtr& conjunct : parted.below) AddUnlessThere(&all, conjunct);
  scan->filter = MakeConjunction(all);
  return MakeFilter(scan, parted.above);
}

// A join on its way down: where each condition goes.
class JoinPush {
 public:
  JoinPush(const LogicalPtr& node, Pending pending)
      : join_(As<LogicalJoin>(*node)),
        pending_(std::move(pending)),
        left_width_(Width(*join_.inputs[0])),
        width_(left_width_ + Width(*join_.inputs[1])) {}

  LogicalPtr Run() {
    type_ = LeastOuterType(join_.type, pending_.rejected, left_width_);
    Conjuncts on;
    if (join_.condition != nullptr) on = SplitConjunction(FactorOr(join_.condition));
    PlaceConditionsAbove(&on);
    PlaceJoinConditions(on);
    CopyAcrossKeys();
    Pending left{left_, Rejected(0, left_width_, PreservesLeft())};
    Pending right{right_, Rejected(left_width_, width_, PreservesRight())};
    return MakeFilter(MakeJoin(type_, Push(join_.inputs[0], std::move(left)),
                               Push(join_.inputs[1], std::move(right)), on_),
                      above_);
  }

 private:
  // A preserved side's rows come out without a match too, so the join's condition must not drop
  // them.
  bool PreservesLeft() const {
    return type_ == JoinType::kLeft || type_ == JoinType::kFull || type_ == JoinType::kAnti ||
           type_ == JoinType::kNullAwareAnti;
  }
  bool PreservesRight() const { return type_ == JoinType::kRight || type_ == JoinType::kFull; }

  // WHERE: a side takes its own conditions unless the join makes NULL rows of it.
  void PlaceConditionsAbove(Conjuncts* on) {
    const bool to_left = type_ != JoinType::kRight && type_ != JoinType::kFull;
    const bool to_right = type_ == JoinType::kInner || type_ == JoinType::kRight;
    for (const ExprPtr& conjunct : pending_.conjuncts) {
      if (type_ == JoinType::kInner) {
        on->push_back(conjunct);
      } else if (!(to_left && GoesLeft(*conjunct, conjunct)) &&
                 !(to_right && GoesRight(*conjunct, conjunct))) {
        above_.push_back(conjunct);
      }
    }
  }

  // ON: a condition on one side may drop that side's rows if they are not preserved.
  void PlaceJoinConditions(const Conjuncts& on) {
    const bool movable = type_ != JoinType::kNullAwareAnti;
    for (const ExprPtr& conjunct : on) {
      if (movable && !PreservesLeft() && GoesLeft(*conjunct, conjunct)) continue;
      if (movable && !PreservesRight() && GoesRight(*conjunct, conjunct)) continue;
      on_.push_back(conjunct);
      if (!movable) continue;
      if (!PreservesLeft()) Derive(conjunct, 0, left_width_);
      if (!PreservesRight()) Derive(conjunct, left_width_, width_);
    }
  }

  bool Movable(const Expr& conjunct) const {
    return !IsVolatile(conjunct) && FailureOf(conjunct) != Failure::kData;
  }

  bool GoesLeft(const Expr& conjunct, const ExprPtr& shared) {
    if (!Movable(conjunct) || !ColumnsWithin(conjunct, 0, left_width_)) return false;
    left_.push_back(shared);
    return true;
  }

  bool GoesRight(const Expr& conjunct, const ExprPtr& shared) {
    if (!Movable(conjunct) || !ColumnsWithin(conjunct, left_width_, width_)) return false;
    right_.push_back(RemapColumns(shared, ShiftMapping(width_, -left_width_)));
    return true;
  }

  // What an OR over both sides says about one of them.
  void Derive(const ExprPtr& conjunct, int begin, int end) {
    const std::optional<ExprPtr> implied = ImpliedByOr(conjunct, begin, end);
    if (!implied.has_value()) return;
    if (begin == 0) {
      AddUnlessThere(&left_, *implied);
    } else {
      AddUnlessThere(&right_, RemapColumns(*implied, ShiftMapping(width_, -begin)));
    }
  }

  // What is asked of a key on one side holds for the other side's key too, as far as that side's
  // rows need a match.
  void CopyAcrossKeys() {
    if (type_ == JoinType::kNullAwareAnti) return;
    const Conjuncts left = left_;
    const Conjuncts right = right_;
    for (const ExprPtr& conjunct : on_) {
      if (!IsEquality(*conjunct) || conjunct->args[0]->type != conjunct->args[1]->type) continue;
      int l = KeyColumn(*conjunct->args[0]);
      int r = KeyColumn(*conjunct->args[1]);
      if (l > r) std::swap(l, r);
      if (l < 0 || l >= left_width_ || r < left_width_) continue;
      const ExprPtr left_key = MakeColumn(l, conjunct->args[0]->type);
      const ExprPtr right_key = MakeColumn(r - left_width_, conjunct->args[0]->type);
      if (!PreservesRight()) CopyForKey(left, l, right_key, &right_);
      if (!PreservesLeft()) CopyForKey(right, r - left_width_, left_key, &left_);
    }
  }

  static int KeyColumn(const Expr& expr) {
    return expr.kind == ExprKind::kColumn ? expr.column_index : -1;
  }

  // Adds those of `conjuncts` that look at `key` only, with `other` in its place.
  void CopyForKey(const Conjuncts& conjuncts, int key, const ExprPtr& other, Conjuncts* to) {
    for (const ExprPtr& conjunct : conjuncts) {
      const bool usable = ColumnsWithin(*conjunct, key, key + 1) && !IsConstant(*conjunct) &&
                          !IsVolatile(*conjunct) && FailureOf(*conjunct) == Failure::kNever;
      if (!usable) continue;
      AddUnlessThere(to, ReplaceColumns(conjunct, std::vector<ExprPtr>(key + 1, other)));
    }
  }

  // Columns of a side whose NULL rows are dropped: by the join's condition if the side is not
  // preserved, and by conditions above if the side's rows come out as they are.
  std::set<int> Rejected(int begin, int end, bool preserved) const {
    std::set<int> rejected = Window(pending_.rejected, begin, end);
    if (begin > 0 && !OutputsBothSides(type_)) rejected.clear();
    const std::set<int> by_side = RejectedBy(begin == 0 ? left_ : right_);
    rejected.insert(by_side.begin(), by_side.end());
    if (!preserved && type_ != JoinType::kNullAwareAnti) {
      const std::set<int> by_condition = Window(RejectedBy(on_), begin, end);
      rejected.insert(by_condition.begin(), by_condition.end());
    }
    return rejected;
  }

  const LogicalJoin& join_;
  const Pending pending_;
  const int left_width_;
  const int width_;
  JoinType type_ = JoinType::kInner;
  Conjuncts left_;
  Conjuncts right_;
  Conjuncts on_;
  Conjuncts above_;
};

LogicalPtr Push(const LogicalPtr& node, Pending pending) {
  switch (node->kind) {
    case LogicalKind::kFilter:
      return PushThroughFilter(node, std::move(pending));
    case LogicalKind::kProject:
      return PushThroughProject(node, pending);
    case LogicalKind::kJoin:
      return JoinPush(node, std::move(pending)).Run();
    case LogicalKind::kAggregate:
      return PushThroughAggregate(node, pending);
    case LogicalKind::kOver:
      return PushThroughOver(node, pending);
    case LogicalKind::kWindowTvf:
    case LogicalKind::kSort:
      return PushOnPassedColumns(node, pending, [](const Expr&) { return true; });
    case LogicalKind::kUnionAll:
      return PushThroughUnion(node, pending);
    case LogicalKind::kScan:
      return PushIntoScan(node, pending.conjuncts);
    case LogicalKind::kValues:
    case LogicalKind::kLimit:
      return StopAt(node, pending.conjuncts);
  }
  return node;
}

}  // namespace

LogicalPtr PushDownFilters(const LogicalPtr& node) { return Push(node, {}); }

}  // namespace millrace
