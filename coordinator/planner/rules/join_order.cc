#include "coordinator/planner/rules/join_order.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

bool IsInnerJoin(const LogicalNode& node) {
  return node.kind == LogicalKind::kJoin && As<LogicalJoin>(node).type == JoinType::kInner;
}

// A projection that only picks columns, over inner joins: it can move above them.
bool IsColumnPickOverJoin(const LogicalNode& node) {
  if (node.kind != LogicalKind::kProject) return false;
  const auto& exprs = As<LogicalProject>(node).exprs;
  const bool trivial =
      std::all_of(exprs.begin(), exprs.end(), [](const ExprPtr& expr) { return IsTrivial(*expr); });
  return trivial && (IsInnerJoin(*node.inputs[0]) || IsColumnPickOverJoin(*node.inputs[0]));
}

// A condition that must see only rows that all joins let through.
bool MustComeLast(const Expr& conjunct) {
  return IsVolatile(conjunct) || (FailureOf(conjunct) == Failure::kData && !IsEquality(conjunct));
}

// A relation, or some that are joined already.
struct Part {
  LogicalPtr plan;
  Estimate estimate;
  // The global numbers of its columns, in the order of its output.
  std::vector<int> columns;
};

class JoinTree {
 public:
  explicit JoinTree(const CardinalityEstimator& estimator) : estimator_(estimator) {}

  // Takes a tree of inner joins apart; returns its output over the columns of all relations,
  // numbered one after another.
  std::vector<ExprPtr> Flatten(const LogicalPtr& node) {
    if (IsInnerJoin(*node)) {
      std::vector<ExprPtr> output = Flatten(node->inputs[0]);
      const std::vector<ExprPtr> right = Flatten(node->inputs[1]);
      output.insert(output.end(), right.begin(), right.end());
      const ExprPtr& condition = As<LogicalJoin>(*node).condition;
      if (condition == nullptr) return output;
      for (const ExprPtr& conjunct : SplitConjunction(ReplaceColumns(condition, output))) {
        conjuncts_.push_back(conjunct);
      }
      return output;
    }
    if (IsColumnPickOverJoin(*node)) {
      const std::vector<ExprPtr> below = Flatten(node->inputs[0]);
      std::vector<ExprPtr> output;
      for (const ExprPtr& expr : As<LogicalProject>(*node).exprs) {
        output.push_back(ReplaceColumns(expr, below));
      }
      return output;
    }
    const LogicalPtr relation = OrderJoins(node, estimator_);
    parts_.push_back(
        {relation, estimator_.EstimateOf(*relation), ShiftMapping(Width(*relation), num_columns_)});
    const int first = num_columns_;
    num_columns_ += Width(*relation);
    return ColumnRefs(relation->output, first);
  }

  size_t size() const { return parts_.size(); }

  // The whole, with `output` over the global columns.
  LogicalPtr Build(const std::vector<ExprPtr>& output, const Schema& schema) {
    while (parts_.size() > 1) {
      const auto [left, right] = BestPair();
      JoinParts(left, right);
    }
    const Part& whole = parts_[0];
    std::vector<ExprPtr> exprs;
    for (const ExprPtr& expr : output) exprs.push_back(RemapColumns(expr, LocalMapping(whole)));
    return MakeProject(whole.plan, std::move(exprs), schema);
  }

 private:
  // local[global] = position in the part's output, −1 for columns of others.
  std::vector<int> LocalMapping(const Part& part) const {
    std::vector<int> mapping(num_columns_, -1);
    for (size_t i = 0; i < part.columns.size(); ++i) mapping[part.columns[i]] = static_cast<int>(i);
    return mapping;
  }

  static Part Together(const Part& left, const Part& right) {
    Part both;
    both.columns = left.columns;
    both.columns.insert(both.columns.end(), right.columns.begin(), right.columns.end());
    return both;
  }

  // The conditions that can be tested once the columns of `both` are there, over these columns.
  // Takes them away if asked to.
  std::vector<ExprPtr> ConditionsOn(const Part& both, bool take) {
    const std::vector<int> mapping = LocalMapping(both);
    const bool last = parts_.size() == 2;
    std::vector<ExprPtr> found;
    std::vector<ExprPtr> rest;
    for (const ExprPtr& conjunct : conjuncts_) {
      bool there = last || !MustComeLast(*conjunct);
      ForEachColumn(*conjunct, [&](int column) { there &= mapping[column] >= 0; });
      if (there) {
        found.push_back(RemapColumns(conjunct, mapping));
      } else {
        rest.push_back(conjunct);
      }
    }
    if (take) conjuncts_ = std::move(rest);
    return found;
  }

  std::pair<size_t, size_t> BestPair() {
    std::pair<size_t, size_t> best{0, 1};
    bool best_connected = false;
    std::optional<double> best_rows;
    for (size_t i = 0; i < parts_.size(); ++i) {
      for (size_t j = i + 1; j < parts_.size(); ++j) {
        const Part both = Together(parts_[i], parts_[j]);
        const std::vector<ExprPtr> conditions = ConditionsOn(both, /*take=*/false);
        const bool connected =
            std::any_of(conditions.begin(), conditions.end(), [&](const ExprPtr& condition) {
              const int width = static_cast<int>(parts_[i].columns.size());
              return !ColumnsWithin(*condition, 0, width) &&
                     !ColumnsWithin(*condition, width, static_cast<int>(both.columns.size()));
            });
        const double rows =
            estimator_
                .EstimateJoin(JoinType::kInner, parts_[i].estimate, parts_[j].estimate, conditions)
                .rows;
        const bool better = !best_rows.has_value() || (connected && !best_connected) ||
                            (connected == best_connected && rows < *best_rows);
        if (!better) continue;
        best = {i, j};
        best_connected = connected;
        best_rows = rows;
      }
    }
    return best;
  }

  void JoinParts(size_t left, size_t right) {
    Part both = Together(parts_[left], parts_[right]);
    const std::vector<ExprPtr> conditions = ConditionsOn(both, /*take=*/true);
    both.estimate = estimator_.EstimateJoin(JoinType::kInner, parts_[left].estimate,
                                            parts_[right].estimate, conditions);
    both.plan = MakeJoin(JoinType::kInner, parts_[left].plan, parts_[right].plan, conditions);
    parts_[left] = std::move(both);
    parts_.erase(parts_.begin() + static_cast<std::ptrdiff_t>(right));
  }

  const CardinalityEstimator& estimator_;
  std::vector<Part> parts_;
  // Over the global columns.
  std::vector<ExprPtr> conjuncts_;
  int num_columns_ = 0;
};

}  // namespace

LogicalPtr OrderJoins(const LogicalPtr& node, const CardinalityEstimator& estimator) {
  if (IsInnerJoin(*node)) {
    JoinTree tree(estimator);
    const std::vector<ExprPtr> output = tree.Flatten(node);
    if (tree.size() > 2) return tree.Build(output, node->output);
  }
  std::vector<LogicalPtr> inputs;
  for (const LogicalPtr& input : node->inputs) inputs.push_back(OrderJoins(input, estimator));
  return WithInputs(node, std::move(inputs));
}

}  // namespace millrace
