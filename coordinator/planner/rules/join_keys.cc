#include "coordinator/planner/rules/join_keys.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/expr/function_registry.h"
#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

// Casts both sides of an equality to one type; false if there is none without loss.
bool Unify(ExprPtr* left, ExprPtr* right) {
  const SqlType& a = (*left)->type;
  const SqlType& b = (*right)->type;
  if (SameKeyType(a, b)) return true;
  if (!a.is_numeric() || !b.is_numeric()) return false;
  const int32_t scale = std::max(a.scale, b.scale);
  const SqlType common = SqlType::Numeric(kMaxNumericPrecision, scale);
  for (ExprPtr* side : {left, right}) {
    if ((*side)->type.scale == scale) continue;
    absl::StatusOr<ExprPtr> cast =
        BuildCast(*side, common, CastContext::kImplicit, (*side)->position);
    if (!cast.ok()) return false;
    *side = *std::move(cast);
  }
  return true;
}

// One side of a join with further columns for its keys.
class KeyedSide {
 public:
  explicit KeyedSide(const LogicalPtr& input) : input_(input), exprs_(ColumnRefs(input->output)) {}

  // Position of the expression's value among the side's columns.
  int Add(const ExprPtr& expr) {
    const auto same = [&](const ExprPtr& other) { return SameExpr(*other, *expr); };
    const auto found = std::find_if(exprs_.begin(), exprs_.end(), same);
    const auto position = found - exprs_.begin();
    if (found == exprs_.end()) exprs_.push_back(expr);
    return static_cast<int>(position);
  }

  bool grew() const { return exprs_.size() > input_->output.size(); }
  int width() const { return static_cast<int>(exprs_.size()); }

  LogicalPtr Build() const {
    if (!grew()) return input_;
    Schema output = input_->output;
    for (size_t i = output.size(); i < exprs_.size(); ++i) {
      output.push_back({"join_key", exprs_[i]->type});
    }
    return MakeProject(input_, exprs_, std::move(output));
  }

 private:
  const LogicalPtr input_;
  std::vector<ExprPtr> exprs_;
};

struct Equality {
  ExprPtr left;
  ExprPtr right;
};

// The two sides of an equality that can be a key, each over its own input's columns. A comparison
// with a constant is a condition on one side rather than a key, but NOT IN needs a key in any case.
std::optional<Equality> AsKey(const Expr& conjunct, const LogicalJoin& join) {
  const int left_width = Width(*join.inputs[0]);
  const int width = left_width + Width(*join.inputs[1]);
  const bool constants = join.type == JoinType::kNullAwareAnti;
  if (!IsEquality(conjunct) || IsVolatile(conjunct)) return std::nullopt;
  for (const bool swapped : {false, true}) {
    const ExprPtr& a = conjunct.args[swapped ? 1 : 0];
    const ExprPtr& b = conjunct.args[swapped ? 0 : 1];
    const bool sides = ColumnsWithin(*a, 0, left_width) && ColumnsWithin(*b, left_width, width) &&
                       (constants || (!IsConstant(*a) && !IsConstant(*b)));
    if (!sides) continue;
    Equality key{a, RemapColumns(b, ShiftMapping(width, -left_width))};
    if (!Unify(&key.left, &key.right)) return std::nullopt;
    return key;
  }
  return std::nullopt;
}

LogicalPtr ProjectKeysOfJoin(const LogicalPtr& node) {
  const auto& join = As<LogicalJoin>(*node);
  if (join.condition == nullptr) return node;
  const int left_width = Width(*join.inputs[0]);
  const int right_width = Width(*join.inputs[1]);
  KeyedSide left(join.inputs[0]);
  KeyedSide right(join.inputs[1]);
  std::vector<std::pair<int, int>> keys;
  std::vector<ExprPtr> rest;
  for (const ExprPtr& conjunct : SplitConjunction(join.condition)) {
    const std::optional<Equality> key = AsKey(*conjunct, join);
    if (key.has_value()) {
      keys.emplace_back(left.Add(key->left), right.Add(key->right));
    } else {
      rest.push_back(conjunct);
    }
  }
  if (!left.grew() && !right.grew()) return node;

  const LogicalPtr new_left = left.Build();
  const LogicalPtr new_right = right.Build();
  std::vector<ExprPtr> conjuncts;
  for (const auto& [l, r] : keys) {
    absl::StatusOr<ExprPtr> equal =
        BuildOperator("=",
                      {MakeColumn(l, new_left->output[l].type),
                       MakeColumn(left.width() + r, new_right->output[r].type)},
                      0);
    if (!equal.ok()) return node;
    conjuncts.push_back(*std::move(equal));
  }
  std::vector<int> mapping = ShiftMapping(left_width, 0);
  for (int i = 0; i < right_width; ++i) mapping.push_back(left.width() + i);
  for (const ExprPtr& conjunct : rest) conjuncts.push_back(RemapColumns(conjunct, mapping));
  const LogicalPtr keyed = MakeJoin(join.type, new_left, new_right, conjuncts);
  if (!OutputsBothSides(join.type)) mapping.resize(left_width);
  return MakeColumnProject(keyed, mapping);
}

}  // namespace

bool SameKeyType(const SqlType& a, const SqlType& b) {
  if (a.is_numeric() && b.is_numeric()) return a.scale == b.scale;
  const bool padded = a.id == TypeId::kChar || b.id == TypeId::kChar;
  if (a.is_string() && b.is_string() && !padded) return true;
  return a.id == b.id;
}

LogicalPtr ProjectJoinKeys(const LogicalPtr& node) {
  return RewriteBottomUp(node, [](const LogicalPtr& visited) {
    return visited->kind == LogicalKind::kJoin ? ProjectKeysOfJoin(visited) : visited;
  });
}

JoinKeys SplitJoinCondition(const LogicalJoin& join) {
  JoinKeys keys;
  if (join.condition == nullptr) return keys;
  const int left_width = Width(*join.inputs[0]);
  for (const ExprPtr& conjunct : SplitConjunction(join.condition)) {
    const bool columns = IsEquality(*conjunct) && conjunct->args[0]->kind == ExprKind::kColumn &&
                         conjunct->args[1]->kind == ExprKind::kColumn &&
                         SameKeyType(conjunct->args[0]->type, conjunct->args[1]->type);
    if (!columns) {
      keys.residual.push_back(conjunct);
      continue;
    }
    int left = conjunct->args[0]->column_index;
    int right = conjunct->args[1]->column_index;
    if (left > right) std::swap(left, right);
    if (left < left_width && right >= left_width) {
      keys.left.push_back(left);
      keys.right.push_back(right - left_width);
    } else {
      keys.residual.push_back(conjunct);
    }
  }
  return keys;
}

}  // namespace millrace
