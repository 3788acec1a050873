#include "coordinator/planner/rules/interval_keys.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "common/expr/function_registry.h"
#include "common/expr/internal_calls.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

bool IsInterval(const SqlType& type) { return type.id == TypeId::kInterval; }

// The input with the lengths of some of its columns behind its own columns.
class LengthColumns {
 public:
  explicit LengthColumns(const LogicalPtr& input)
      : input_(input), exprs_(ColumnRefs(input->output)), schema_(input->output) {}

  // The column that holds the length of column `index`.
  int Of(int index) {
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (sources_[i] == index) return Width(*input_) + static_cast<int>(i);
    }
    sources_.push_back(index);
    exprs_.push_back(BuildIntervalSpan(MakeColumn(index, input_->output[index].type)));
    schema_.push_back({input_->output[index].name, exprs_.back()->type});
    return static_cast<int>(schema_.size()) - 1;
  }
  LogicalPtr Project() const { return MakeProject(input_, exprs_, schema_); }

 private:
  const LogicalPtr input_;
  std::vector<ExprPtr> exprs_;
  Schema schema_;
  std::vector<int> sources_;
};

AggregateCall LeastOf(int column, const SqlType& type) {
  AggregateCall call;
  call.function = AggregateFunction::kMin;
  call.args = {column};
  call.type = type;
  return call;
}

// Keys become lengths; the interval that is shown is an aggregate more.
LogicalPtr RewriteAggregate(const LogicalPtr& node) {
  const auto& aggregate = As<LogicalAggregate>(*node);
  const Schema& input = aggregate.inputs[0]->output;
  const auto distinct_interval = [&](const AggregateCall& call) {
    return call.function == AggregateFunction::kCount && call.distinct && call.args.size() == 1 &&
           IsInterval(input[call.args[0]].type);
  };
  const bool keys = std::any_of(aggregate.keys.begin(), aggregate.keys.end(),
                                [&](int key) { return IsInterval(input[key].type); });
  const bool counts =
      std::any_of(aggregate.aggregates.begin(), aggregate.aggregates.end(), distinct_interval);
  if (!keys && !counts) return node;

  LengthColumns lengths(aggregate.inputs[0]);
  auto by_length = std::make_shared<LogicalAggregate>(aggregate);
  const int num_keys = static_cast<int>(aggregate.keys.size());
  std::vector<int> shown = ShiftMapping(Width(aggregate), 0);
  for (AggregateCall& call : by_length->aggregates) {
    if (distinct_interval(call)) call.args[0] = lengths.Of(call.args[0]);
  }
  for (int i = 0; i < num_keys; ++i) {
    const int key = aggregate.keys[i];
    if (!IsInterval(input[key].type)) continue;
    by_length->keys[i] = lengths.Of(key);
    shown[i] = num_keys + static_cast<int>(by_length->aggregates.size());
    by_length->aggregates.push_back(LeastOf(key, input[key].type));
    by_length->output[i].type = SqlType::Numeric(0, 0);
    by_length->output.push_back(aggregate.output[i]);
  }
  by_length->inputs = {lengths.Project()};
  return keys ? MakeColumnProject(std::move(by_length), shown) : LogicalPtr(std::move(by_length));
}

LogicalPtr RewriteOver(const LogicalPtr& node) {
  const auto& over = As<LogicalOver>(*node);
  const Schema& input = over.inputs[0]->output;
  const bool keys = std::any_of(over.partition_keys.begin(), over.partition_keys.end(),
                                [&](int key) { return IsInterval(input[key].type); });
  if (!keys) return node;
  LengthColumns lengths(over.inputs[0]);
  auto by_length = std::make_shared<LogicalOver>(over);
  for (int& key : by_length->partition_keys) {
    if (IsInterval(input[key].type)) key = lengths.Of(key);
  }
  const LogicalPtr below = lengths.Project();
  by_length->inputs = {below};
  by_length->output = below->output;
  const int width = Width(*over.inputs[0]);
  std::vector<int> shown = ShiftMapping(width, 0);
  for (size_t i = 0; i < over.calls.size(); ++i) {
    shown.push_back(static_cast<int>(by_length->output.size()));
    by_length->output.push_back(over.output[width + i]);
  }
  return MakeColumnProject(std::move(by_length), shown);
}

// a = b of intervals becomes an equality of lengths, which hashes alike.
ExprPtr RewriteEqualities(const ExprPtr& expr) {
  std::vector<ExprPtr> conjuncts = SplitConjunction(expr);
  bool changed = false;
  for (ExprPtr& conjunct : conjuncts) {
    if (conjunct->kind != ExprKind::kCall || conjunct->function != "eq(interval,interval)")
      continue;
    auto equal = BuildOperator(
        "=", {BuildIntervalSpan(conjunct->args[0]), BuildIntervalSpan(conjunct->args[1])},
        conjunct->position);
    if (!equal.ok()) continue;
    conjunct = *std::move(equal);
    changed = true;
  }
  return changed ? MakeConjunction(conjuncts) : expr;
}

LogicalPtr RewriteNode(const LogicalPtr& node) {
  switch (node->kind) {
    case LogicalKind::kAggregate:
      return RewriteAggregate(node);
    case LogicalKind::kOver:
      return RewriteOver(node);
    case LogicalKind::kJoin:
    case LogicalKind::kFilter:
      return WithExprs(node, RewriteEqualities);
    default:
      return node;
  }
}

}  // namespace

LogicalPtr CompareIntervalKeysByLength(const LogicalPtr& node) {
  return RewriteBottomUp(node, RewriteNode);
}

}  // namespace millrace
