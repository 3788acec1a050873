#include "coordinator/planner/rules/logical_build.h"

#include <utility>

namespace millrace {
namespace {

template <typename Node>
std::shared_ptr<Node> Copy(const LogicalNode& node) {
  return std::make_shared<Node>(As<Node>(node));
}

std::shared_ptr<LogicalNode> CopyNode(const LogicalNode& node) {
  switch (node.kind) {
    case LogicalKind::kScan:
      return Copy<LogicalScan>(node);
    case LogicalKind::kValues:
      return Copy<LogicalValues>(node);
    case LogicalKind::kFilter:
      return Copy<LogicalFilter>(node);
    case LogicalKind::kProject:
      return Copy<LogicalProject>(node);
    case LogicalKind::kAggregate:
      return Copy<LogicalAggregate>(node);
    case LogicalKind::kJoin:
      return Copy<LogicalJoin>(node);
    case LogicalKind::kOver:
      return Copy<LogicalOver>(node);
    case LogicalKind::kSort:
      return Copy<LogicalSort>(node);
    case LogicalKind::kLimit:
      return Copy<LogicalLimit>(node);
    case LogicalKind::kUnionAll:
      return Copy<LogicalUnionAll>(node);
    case LogicalKind::kWindowTvf:
      return Copy<LogicalWindowTvf>(node);
  }
  return nullptr;
}

void RewriteKeys(std::vector<SortKey>* keys, const ExprRewrite& rewrite) {
  for (SortKey& key : *keys) key.expr = rewrite(key.expr);
}

void RewriteList(std::vector<ExprPtr>* exprs, const ExprRewrite& rewrite) {
  for (ExprPtr& expr : *exprs) expr = rewrite(expr);
}

}  // namespace

LogicalPtr MakeFilter(LogicalPtr input, const std::vector<ExprPtr>& conjuncts) {
  if (conjuncts.empty()) return input;
  auto filter = std::make_shared<LogicalFilter>();
  filter->output = input->output;
  filter->inputs = {std::move(input)};
  filter->predicate = MakeConjunction(conjuncts);
  return filter;
}

LogicalPtr MakeProject(LogicalPtr input, std::vector<ExprPtr> exprs, Schema output) {
  auto project = std::make_shared<LogicalProject>();
  project->inputs = {std::move(input)};
  project->exprs = std::move(exprs);
  project->output = std::move(output);
  return project;
}

LogicalPtr MakeColumnProject(LogicalPtr input, const std::vector<int>& columns) {
  std::vector<ExprPtr> exprs;
  Schema output;
  for (int column : columns) {
    exprs.push_back(MakeColumn(column, input->output[column].type));
    output.push_back(input->output[column]);
  }
  return MakeProject(std::move(input), std::move(exprs), std::move(output));
}

LogicalPtr MakeJoin(JoinType type, LogicalPtr left, LogicalPtr right,
                    const std::vector<ExprPtr>& conjuncts) {
  auto join = std::make_shared<LogicalJoin>();
  join->type = type;
  join->output = left->output;
  if (OutputsBothSides(type)) {
    join->output.insert(join->output.end(), right->output.begin(), right->output.end());
  }
  join->condition = MakeConjunction(conjuncts);
  join->inputs = {std::move(left), std::move(right)};
  return join;
}

LogicalPtr MakeLimit(LogicalPtr input, std::optional<uint64_t> limit, uint64_t offset) {
  auto node = std::make_shared<LogicalLimit>();
  node->output = input->output;
  node->inputs = {std::move(input)};
  node->limit = limit;
  node->offset = offset;
  return node;
}

LogicalPtr MakeNoRows(Schema output) {
  auto values = std::make_shared<LogicalValues>();
  values->output = std::move(output);
  return values;
}

bool GivesNoRows(const LogicalNode& node) {
  return node.kind == LogicalKind::kValues && As<LogicalValues>(node).rows.empty();
}

LogicalPtr WithInputs(const LogicalPtr& node, std::vector<LogicalPtr> inputs) {
  if (inputs == node->inputs) return node;
  std::shared_ptr<LogicalNode> copy = CopyNode(*node);
  copy->inputs = std::move(inputs);
  return copy;
}

LogicalPtr WithExprs(const LogicalPtr& node, const ExprRewrite& rewrite) {
  std::shared_ptr<LogicalNode> copy = CopyNode(*node);
  switch (node->kind) {
    case LogicalKind::kScan: {
      auto& scan = static_cast<LogicalScan&>(*copy);
      if (scan.filter != nullptr) scan.filter = rewrite(scan.filter);
      break;
    }
    case LogicalKind::kValues:
      for (auto& row : static_cast<LogicalValues&>(*copy).rows) RewriteList(&row, rewrite);
      break;
    case LogicalKind::kFilter: {
      auto& filter = static_cast<LogicalFilter&>(*copy);
      filter.predicate = rewrite(filter.predicate);
      break;
    }
    case LogicalKind::kProject:
      RewriteList(&static_cast<LogicalProject&>(*copy).exprs, rewrite);
      break;
    case LogicalKind::kJoin: {
      auto& join = static_cast<LogicalJoin&>(*copy);
      if (join.condition != nullptr) join.condition = rewrite(join.condition);
      break;
    }
    case LogicalKind::kOver:
      RewriteKeys(&static_cast<LogicalOver&>(*copy).order_keys, rewrite);
      break;
    case LogicalKind::kSort:
      RewriteKeys(&static_cast<LogicalSort&>(*copy).keys, rewrite);
      break;
    case LogicalKind::kAggregate:
    case LogicalKind::kLimit:
    case LogicalKind::kUnionAll:
    case LogicalKind::kWindowTvf:
      break;
  }
  return copy;
}

LogicalPtr RewriteBottomUp(const LogicalPtr& node, const NodeRewrite& rewrite) {
  std::vector<LogicalPtr> inputs;
  inputs.reserve(node->inputs.size());
  for (const LogicalPtr& input : node->inputs) inputs.push_back(RewriteBottomUp(input, rewrite));
  return rewrite(WithInputs(node, std::move(inputs)));
}

std::vector<ExprPtr> ColumnRefs(const Schema& schema, int first) {
  std::vector<ExprPtr> refs;
  refs.reserve(schema.size());
  for (const Field& field : schema) {
    refs.push_back(MakeColumn(first + static_cast<int>(refs.size()), field.type));
  }
  return refs;
}

std::vector<int> ShiftMapping(int size, int by) {
  std::vector<int> mapping(size);
  for (int i = 0; i < size; ++i) mapping[i] = i + by;
  return mapping;
}

bool ColumnsWithin(const Expr& expr, int begin, int end) {
  bool within = true;
  ForEachColumn(expr, [&](int column) { within &= column >= begin && column < end; });
  return within;
}

}  // namespace millrace
