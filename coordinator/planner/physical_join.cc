#include <algorithm>
#include <cstring>
#include <utility>

#include "common/base/status.h"
#include "coordinator/planner/physical_builder.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

// A side with at most this many rows may be sent to every task.
constexpr double kBroadcastRowsMax = 2e6;
// Sending it to every task must be this much cheaper than moving the other side: each task builds
// it again.
constexpr double kBroadcastGain = 2;

v1::JoinType JoinTypeOf(JoinType type) { return static_cast<v1::JoinType>(type); }

// Types for which every task may hold the whole right side: no row of it comes out unmatched.
bool MayBroadcastRight(JoinType type) {
  return type != JoinType::kRight && type != JoinType::kFull;
}

// keys[i] for each i in `which`.
std::vector<int> Pick(const std::vector<int>& keys, const std::vector<int>& which) {
  std::vector<int> picked;
  for (int i : which) picked.push_back(keys[i]);
  return picked;
}

// Which of `keys` the columns are, in their order; nothing if one is not among them.
std::optional<std::vector<int>> IndicesIn(const std::vector<int>& keys,
                                          const std::vector<int>& columns) {
  std::vector<int> indices;
  for (int column : columns) {
    const auto found = std::find(keys.begin(), keys.end(), column);
    if (found == keys.end()) return std::nullopt;
    indices.push_back(static_cast<int>(found - keys.begin()));
  }
  return indices;
}

std::vector<int> AllIndices(const std::vector<int>& keys) { return ShiftMapping(keys.size(), 0); }

bool IsHashedBy(const Relation& relation, const std::vector<int>& columns) {
  return std::find(relation.hashed_by.begin(), relation.hashed_by.end(), columns) !=
         relation.hashed_by.end();
}

std::vector<int> Shifted(std::vector<int> columns, int by) {
  for (int& column : columns) column += by;
  return columns;
}

// Position among the keys of a pair of window ends, −1 if there is none.
int WindowEndKey(const JoinKeys& keys, const Relation& left, const Relation& right) {
  const auto is_end = [](const Relation& side, int column) {
    const auto found = side.times.find(column);
    return found != side.times.end() && found->second.role == TimeColumn::Role::kWindowEnd;
  };
  for (size_t i = 0; i < keys.left.size(); ++i) {
    if (is_end(left, keys.left[i]) && is_end(right, keys.right[i])) return static_cast<int>(i);
  }
  return -1;
}

void AddKeys(const JoinKeys& keys, v1::HashJoinNode* op) {
  for (int key : keys.left) op->add_left_keys(key);
  for (int key : keys.right) op->add_right_keys(key);
  if (!keys.residual.empty()) {
    ToProto(*MakeConjunction(keys.residual), op->mutable_residual());
  }
}

}  // namespace

absl::StatusOr<Relation> PhysicalBuilder::BuildJoin(const LogicalJoin& join) {
  MR_ASSIGN_OR_RETURN(Relation left, Build(join.inputs[0]));
  MR_ASSIGN_OR_RETURN(Relation right, Build(join.inputs[1]));
  JoinKeys keys = SplitJoinCondition(join);
  if (options_.streaming) {
    return SymmetricJoin(join, std::move(keys), std::move(left), std::move(right));
  }
  if (keys.left.empty()) return NestedLoopJoin(join, std::move(left), std::move(right));
  return HashJoin(join, keys, std::move(left), std::move(right));
}

bool PhysicalBuilder::PrefersBroadcast(const LogicalJoin& join, const JoinKeys& keys,
                                       const Relation& left, const Relation& right) const {
  // One NULL on the right decides for all rows of the left, so every task must know the whole right
  // side.
  if (join.type == JoinType::kNullAwareAnti) return true;
  if (!MayBroadcastRight(join.type) || left.single()) return false;
  if (fragments_->IsSpreadBy(left, keys.left)) return false;
  const double copies = right.estimate.rows * options_.parallelism;
  return right.estimate.known && right.estimate.rows <= kBroadcastRowsMax &&
         copies * kBroadcastGain <= left.estimate.rows;
}

Relation PhysicalBuilder::HashJoin(const LogicalJoin& join, const JoinKeys& keys, Relation left,
                                   Relation right) {
  if (PrefersBroadcast(join, keys, left, right)) {
    right = left.single() ? fragments_->ToSingle(std::move(right))
                          : fragments_->ToBroadcast(std::move(right));
    right.hashed_by.clear();
  } else {
    SpreadByKeys(keys, &left, &right);
  }
  Relation joined = JoinOutput(join, &left, &right);
  v1::HashJoinNode* op = joined.node->mutable_hash_join();
  op->set_type(JoinTypeOf(join.type));
  AddKeys(keys, op);
  return joined;
}

// Brings rows with equal keys into one task, moving as little as possible.
void PhysicalBuilder::SpreadByKeys(const JoinKeys& keys, Relation* left, Relation* right) {
  if (!options_.streaming && left->single() && right->single()) return;
  const std::vector<int> all = AllIndices(keys.left);
  // Subsets of the keys by which one side lies already. A stream's state belongs to shards by all
  // keys.
  std::vector<std::vector<int>> choices;
  for (const auto& [side, side_keys] :
       {std::pair(left, &keys.left), std::pair(right, &keys.right)}) {
    for (const std::vector<int>& columns : side->hashed_by) {
      const auto indices = IndicesIn(*side_keys, columns);
      if (!indices.has_value() || side->single()) continue;
      if (!options_.streaming || *indices == all) choices.push_back(*indices);
    }
  }
  choices.push_back(all);
  const auto exchanges = [&](const std::vector<int>& choice) {
    return !IsHashedBy(*left, Pick(keys.left, choice)) +
           !IsHashedBy(*right, Pick(keys.right, choice));
  };
  const std::vector<int> best =
      *std::min_element(choices.begin(), choices.end(),
                        [&](const auto& a, const auto& b) { return exchanges(a) < exchanges(b); });
  const std::vector<int> left_keys = Pick(keys.left, best);
  const std::vector<int> right_keys = Pick(keys.right, best);
  if (!IsHashedBy(*left, left_keys)) *left = fragments_->ToHash(std::move(*left), left_keys);
  if (!IsHashedBy(*right, right_keys)) *right = fragments_->ToHash(std::move(*right), right_keys);
}

// The node over both sides, with the traits of a bounded join's output.
Relation PhysicalBuilder::JoinOutput(const LogicalJoin& join, Relation* left, Relation* right) {
  Relation joined;
  joined.schema = join.output;
  joined.parallelism = left->parallelism;
  const bool left_kept = join.type != JoinType::kRight && join.type != JoinType::kFull;
  const bool right_kept = join.type == JoinType::kInner || join.type == JoinType::kRight;
  if (left_kept) joined.hashed_by = left->hashed_by;
  if (right_kept) {
    for (const std::vector<int>& columns : right->hashed_by) {
      joined.hashed_by.push_back(Shifted(columns, left->width()));
    }
  }
  joined.node = fragments_->NewNode({left, right});
  return joined;
}

Relation PhysicalBuilder::NestedLoopJoin(const LogicalJoin& join, Relation left, Relation right) {
  if (!MayBroadcastRight(join.type)) left = fragments_->ToSingle(std::move(left));
  right = left.single() ? fragments_->ToSingle(std::move(right))
                        : fragments_->ToBroadcast(std::move(right));
  right.hashed_by.clear();
  Relation joined = JoinOutput(join, &left, &right);
  v1::NestedLoopJoinNode* op = joined.node->mutable_nested_loop_join();
  op->set_type(JoinTypeOf(join.type));
  if (join.condition != nullptr) ToProto(*join.condition, op->mutable_condition());
  return joined;
}

absl::StatusOr<Relation> PhysicalBuilder::SymmetricJoin(const LogicalJoin& join, JoinKeys keys,
                                                        Relation left, Relation right) {
  if (join.type == JoinType::kNullAwareAnti) {
    return MakeError(SqlState::kFeatureNotSupported, "NOT IN is not supported in a stream",
                     "use NOT EXISTS with an equality");
  }
  if (keys.left.empty()) {
    return SymmetricCrossJoin(join, std::move(keys), std::move(left), std::move(right));
  }
  SpreadByKeys(keys, &left, &right);
  const int end_key = WindowEndKey(keys, left, right);
  // Rows of one window are joined before it closes; other rows may be joined at any later time, so
  // their event time says nothing about what is still to come.
  std::map<int, TimeColumn> times;
  for (size_t i = 0; end_key >= 0 && i < keys.left.size(); ++i) {
    const auto found = left.times.find(keys.left[i]);
    const bool bound =
        found != left.times.end() && found->second.role != TimeColumn::Role::kRowTime;
    if (!bound || join.type == JoinType::kRight || join.type == JoinType::kFull) continue;
    times.insert(*found);
    if (join.type == JoinType::kInner) times.emplace(left.width() + keys.right[i], found->second);
  }
  const bool grows = join.type == JoinType::kInner || join.type == JoinType::kSemi;
  const bool changing = !grows || left.changing || right.changing;
  std::optional<std::vector<int>> key = JoinedKey(join, keys, left, right);
  Relation joined = JoinOutput(join, &left, &right);
  joined.changing = changing;
  joined.times = std::move(times);
  joined.key = std::move(key);
  v1::HashJoinNode* op = joined.node->mutable_hash_join();
  op->set_type(JoinTypeOf(join.type));
  AddKeys(keys, op);
  op->set_symmetric(true);
  if (end_key >= 0) op->set_window_end_key(end_key);
  return joined;
}

// Without an equality all rows meet in one task, under a key that is the same for all.
absl::StatusOr<Relation> PhysicalBuilder::SymmetricCrossJoin(const LogicalJoin& join, JoinKeys keys,
                                                             Relation left, Relation right) {
  const int left_width = left.width();
  const int right_width = right.width();
  const Value one{SqlType::Of(TypeId::kInt32), int64_t{1}};
  left = fragments_->ToSingle(Extend(std::move(left), {MakeLiteral(one)}, "join_key"));
  right = fragments_->ToSingle(Extend(std::move(right), {MakeLiteral(one)}, "join_key"));
  std::vector<int> mapping = ShiftMapping(left_width, 0);
  for (int i = 0; i < right_width; ++i) mapping.push_back(left_width + 1 + i);
  for (ExprPtr& conjunct : keys.residual) conjunct = RemapColumns(conjunct, mapping);
  keys.left = {left_width};
  keys.right = {right_width};

  const bool grows = join.type == JoinType::kInner || join.type == JoinType::kSemi;
  const bool changing = !grows || left.changing || right.changing;
  LogicalJoin keyed;
  keyed.type = join.type;
  keyed.output = left.schema;
  if (OutputsBothSides(join.type)) {
    keyed.output.insert(keyed.output.end(), right.schema.begin(), right.schema.end());
  } else {
    mapping.resize(left_width);
  }
  Relation joined = JoinOutput(keyed, &left, &right);
  joined.changing = changing;
  v1::HashJoinNode* op = joined.node->mutable_hash_join();
  op->set_type(JoinTypeOf(join.type));
  AddKeys(keys, op);
  op->set_symmetric(true);
  return ProjectColumns(std::move(joined), mapping);
}

// Columns that are unique in a join's output: those of both sides together, or those of one side if
// it meets at most one row of the other.
std::optional<std::vector<int>> PhysicalBuilder::JoinedKey(const LogicalJoin& join,
                                                           const JoinKeys& keys,
                                                           const Relation& left,
                                                           const Relation& right) const {
  if (!OutputsBothSides(join.type)) return left.key;
  const bool one_sided = join.type != JoinType::kFull;
  const auto covers = [](const std::vector<int>& join_keys, const Relation& side) {
    return side.key.has_value() && IndicesIn(join_keys, *side.key).has_value();
  };
  const bool right_unique = covers(keys.right, right);
  const bool left_unique = covers(keys.left, left);
  // A side that the join fills up with NULLs has no key of its own in the output.
  if (one_sided && right_unique && left.key.has_value() && join.type != JoinType::kRight) {
    return left.key;
  }
  if (one_sided && left_unique && right.key.has_value() && join.type != JoinType::kLeft) {
    return Shifted(*right.key, left.width());
  }
  if (join.type != JoinType::kInner || !left.key.has_value() || !right.key.has_value()) {
    return std::nullopt;
  }
  std::vector<int> both = *left.key;
  for (int column : *right.key) both.push_back(left.width() + column);
  return both;
}

}  // namespace millrace
