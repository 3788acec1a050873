#include "coordinator/planner/rules/column_pruning.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

using Columns = std::set<int>;

LogicalPtr PruneTo(const LogicalPtr& node, Columns required);

// Bytes of a value, roughly: which column costs least to read.
int TypeWidth(const SqlType& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      return 1;
    case TypeId::kInt16:
      return 2;
    case TypeId::kInt32:
    case TypeId::kFloat32:
    case TypeId::kDate:
      return 4;
    case TypeId::kNumeric:
    case TypeId::kUuid:
    case TypeId::kInterval:
      return 16;
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
    case TypeId::kBytea:
      return 32;
    default:
      return 8;
  }
}

void AddColumns(Columns* columns, const ExprPtr& expr) {
  if (expr == nullptr) return;
  ForEachColumn(*expr, [&](int column) { columns->insert(column); });
}

// Adds a column of `node` to an empty set, unless it has none (a SELECT without FROM): one that a
// filter reads anyway, or the cheapest.
void AddAnyIfEmpty(Columns* columns, const LogicalNode& node) {
  const Schema& schema = node.output;
  if (!columns->empty() || schema.empty()) return;
  Columns read;
  if (node.kind == LogicalKind::kScan) AddColumns(&read, As<LogicalScan>(node).filter);
  if (node.kind == LogicalKind::kFilter) AddColumns(&read, As<LogicalFilter>(node).predicate);
  if (!read.empty()) {
    columns->insert(*read.begin());
    return;
  }
  const auto cheapest = std::min_element(
      schema.begin(), schema.end(),
      [](const Field& a, const Field& b) { return TypeWidth(a.type) < TypeWidth(b.type); });
  columns->insert(static_cast<int>(cheapest - schema.begin()));
}

// mapping[old] = position among `kept`, -1 for what is dropped.
std::vector<int> MappingOf(const Columns& kept, int width) {
  std::vector<int> mapping(width, -1);
  int next = 0;
  for (int column : kept) mapping[column] = next++;
  return mapping;
}

Schema PickFields(const Schema& schema, const Columns& kept) {
  Schema picked;
  for (int column : kept) picked.push_back(schema[column]);
  return picked;
}

// `node` has the old columns `have`; drops those that are not in `required`.
LogicalPtr Narrow(LogicalPtr node, const Columns& have, const Columns& required) {
  if (have == required) return node;
  std::vector<int> positions;
  int position = 0;
  for (int column : have) {
    if (required.contains(column)) positions.push_back(position);
    ++position;
  }
  return MakeColumnProject(std::move(node), positions);
}

std::vector<int> Remap(const std::vector<int>& columns, const std::vector<int>& mapping) {
  std::vector<int> remapped;
  for (int column : columns) remapped.push_back(mapping[column]);
  return remapped;
}

void RemapCall(AggregateCall* call, const std::vector<int>& mapping) {
  call->args = Remap(call->args, mapping);
  if (call->filter.has_value()) call->filter = mapping[*call->filter];
}

void AddCallColumns(const AggregateCall& call, Columns* columns) {
  columns->insert(call.args.begin(), call.args.end());
  if (call.filter.has_value()) columns->insert(*call.filter);
}

void RemapSortKeys(std::vector<SortKey>* keys, const std::vector<int>& mapping) {
  for (SortKey& key : *keys) key.expr = RemapColumns(key.expr, mapping);
}

LogicalPtr PruneScan(const LogicalPtr& node, const Columns& required) {
  auto scan = std::make_shared<LogicalScan>(As<LogicalScan>(*node));
  Columns read = required;
  AddColumns(&read, scan->filter);
  std::vector<int> columns;
  for (int column : read) columns.push_back(scan->columns[column]);
  if (scan->filter != nullptr) {
    scan->filter = RemapColumns(scan->filter, MappingOf(read, Width(*node)));
  }
  scan->columns = std::move(columns);
  scan->output = PickFields(node->output, read);
  return Narrow(scan, read, required);
}

LogicalPtr PruneValues(const LogicalPtr& node, const Columns& required) {
  auto values = std::make_shared<LogicalValues>(As<LogicalValues>(*node));
  for (auto& row : values->rows) {
    std::vector<ExprPtr> kept;
    for (int column : required) kept.push_back(row[column]);
    row = std::move(kept);
  }
  values->output = PickFields(node->output, required);
  return values;
}

// Nodes that pass all columns of their only input on and read `used` of them.
template <typename Node, typename Fix>
LogicalPtr PrunePassing(const LogicalPtr& node, const Columns& required, const Columns& used,
                        const Fix& fix) {
  Columns kept = required;
  kept.insert(used.begin(), used.end());
  auto copy = std::make_shared<Node>(As<Node>(*node));
  copy->inputs = {PruneTo(node->inputs[0], kept)};
  copy->output = PickFields(node->output, kept);
  fix(copy.get(), MappingOf(kept, Width(*node)));
  return Narrow(copy, kept, required);
}

LogicalPtr PruneFilter(const LogicalPtr& node, const Columns& required) {
  Columns used;
  AddColumns(&used, As<LogicalFilter>(*node).predicate);
  return PrunePassing<LogicalFilter>(node, required, used,
                                     [](LogicalFilter* filter, const std::vector<int>& mapping) {
                                       filter->predicate = RemapColumns(filter->predicate, mapping);
                                     });
}

LogicalPtr PruneSort(const LogicalPtr& node, const Columns& required) {
  Columns used;
  for (const SortKey& key : As<LogicalSort>(*node).keys) AddColumns(&used, key.expr);
  return PrunePassing<LogicalSort>(node, required, used,
                                   [](LogicalSort* sort, const std::vector<int>& mapping) {
                                     RemapSortKeys(&sort->keys, mapping);
                                   });
}

LogicalPtr PruneProject(const LogicalPtr& node, const Columns& required) {
  const auto& project = As<LogicalProject>(*node);
  Columns below;
  for (int column : required) AddColumns(&below, project.exprs[column]);
  const LogicalPtr& input = project.inputs[0];
  AddAnyIfEmpty(&below, *input);
  const std::vector<int> mapping = MappingOf(below, Width(*input));
  std::vector<ExprPtr> exprs;
  for (int column : required) exprs.push_back(RemapColumns(project.exprs[column], mapping));
  return MakeProject(PruneTo(input, below), std::move(exprs), PickFields(project.output, required));
}

LogicalPtr PruneAggregate(const LogicalPtr& node, const Columns& required) {
  auto aggregate = std::make_shared<LogicalAggregate>(As<LogicalAggregate>(*node));
  const int num_keys = static_cast<int>(aggregate->keys.size());
  Columns kept = required;
  for (int i = 0; i < num_keys; ++i) kept.insert(i);
  Columns below(aggregate->keys.begin(), aggregate->keys.end());
  std::vector<AggregateCall> calls;
  for (int column : kept) {
    if (column < num_keys) continue;
    calls.push_back(aggregate->aggregates[column - num_keys]);
    AddCallColumns(calls.back(), &below);
  }
  LogicalPtr input = aggregate->inputs[0];
  // count(*) may come with a projection to no columns at all; the rows are the same without it.
  while (input->kind == LogicalKind::kProject && input->output.empty()) input = input->inputs[0];
  AddAnyIfEmpty(&below, *input);
  const std::vector<int> mapping = MappingOf(below, Width(*input));
  aggregate->keys = Remap(aggregate->keys, mapping);
  for (AggregateCall& call : calls) RemapCall(&call, mapping);
  aggregate->aggregates = std::move(calls);
  aggregate->output = PickFields(node->output, kept);
  aggregate->inputs = {PruneTo(input, below)};
  return Narrow(aggregate, kept, required);
}

LogicalPtr PruneJoin(const LogicalPtr& node, const Columns& required) {
  const auto& join = As<LogicalJoin>(*node);
  const int left_width = Width(*join.inputs[0]);
  const int width = left_width + Width(*join.inputs[1]);
  Columns used = required;
  AddColumns(&used, join.condition);
  Columns left(used.begin(), used.lower_bound(left_width));
  Columns right;
  for (auto it = used.lower_bound(left_width); it != used.end(); ++it) {
    right.insert(*it - left_width);
  }
  AddAnyIfEmpty(&left, *join.inputs[0]);
  AddAnyIfEmpty(&right, *join.inputs[1]);
  Columns have = left;
  for (int column : right) have.insert(left_width + column);
  std::vector<ExprPtr> conjuncts;
  if (join.condition != nullptr) {
    conjuncts = {RemapColumns(join.condition, MappingOf(have, width))};
  }
  LogicalPtr pruned =
      MakeJoin(join.type, PruneTo(join.inputs[0], left), PruneTo(join.inputs[1], right), conjuncts);
  return Narrow(std::move(pruned), OutputsBothSides(join.type) ? have : left, required);
}

LogicalPtr PruneOver(const LogicalPtr& node, const Columns& required) {
  auto over = std::make_shared<LogicalOver>(As<LogicalOver>(*node));
  const int input_width = Width(*over->inputs[0]);
  Columns below(over->partition_keys.begin(), over->partition_keys.end());
  for (const SortKey& key : over->order_keys) AddColumns(&below, key.expr);
  Columns kept_calls;
  std::vector<OverCall> calls;
  for (int column : required) {
    if (column < input_width) {
      below.insert(column);
      continue;
    }
    kept_calls.insert(column);
    calls.push_back(over->calls[column - input_width]);
    below.insert(calls.back().args.begin(), calls.back().args.end());
    if (calls.back().aggregate.has_value()) AddCallColumns(*calls.back().aggregate, &below);
  }
  if (calls.empty()) return PruneTo(over->inputs[0], required);
  const std::vector<int> mapping = MappingOf(below, input_width);
  over->partition_keys = Remap(over->partition_keys, mapping);
  RemapSortKeys(&over->order_keys, mapping);
  for (OverCall& call : calls) {
    call.args = Remap(call.args, mapping);
    if (call.aggregate.has_value()) RemapCall(&*call.aggregate, mapping);
  }
  over->calls = std::move(calls);
  // A call may look at no column at all, but its rows must have one.
  AddAnyIfEmpty(&below, *over->inputs[0]);
  Columns kept = below;
  kept.insert(kept_calls.begin(), kept_calls.end());
  over->output = PickFields(node->output, kept);
  over->inputs = {PruneTo(over->inputs[0], below)};
  return Narrow(over, kept, required);
}

LogicalPtr PruneWindowTvf(const LogicalPtr& node, const Columns& required) {
  auto tvf = std::make_shared<LogicalWindowTvf>(As<LogicalWindowTvf>(*node));
  const int input_width = Width(*tvf->inputs[0]);
  Columns below(required.begin(), required.lower_bound(input_width));
  below.insert(tvf->time_column);
  Columns kept = below;
  kept.insert({input_width, input_width + 1});
  tvf->time_column = MappingOf(below, input_width)[tvf->time_column];
  tvf->inputs = {PruneTo(tvf->inputs[0], below)};
  tvf->output = PickFields(node->output, kept);
  return Narrow(tvf, kept, required);
}

LogicalPtr PruneUnion(const LogicalPtr& node, const Columns& required) {
  auto all = std::make_shared<LogicalUnionAll>(As<LogicalUnionAll>(*node));
  for (LogicalPtr& input : all->inputs) input = PruneTo(input, required);
  all->output = PickFields(node->output, required);
  return all;
}

// Nodes without columns stay so; what is below them is pruned.
LogicalPtr PruneBare(const LogicalPtr& node) {
  std::vector<LogicalPtr> inputs;
  for (const LogicalPtr& input : node->inputs) {
    const bool free = node->kind == LogicalKind::kProject || input->output.empty();
    inputs.push_back(free ? PruneTo(input, {}) : input);
  }
  return WithInputs(node, std::move(inputs));
}

// A copy with exactly the columns `required` (or one, if none is), ascending.
LogicalPtr PruneTo(const LogicalPtr& node, Columns required) {
  if (node->output.empty()) return PruneBare(node);
  AddAnyIfEmpty(&required, *node);
  MR_CHECK(*required.rbegin() < Width(*node));
  switch (node->kind) {
    case LogicalKind::kScan:
      return PruneScan(node, required);
    case LogicalKind::kValues:
      return PruneValues(node, required);
    case LogicalKind::kFilter:
      return PruneFilter(node, required);
    case LogicalKind::kProject:
      return PruneProject(node, required);
    case LogicalKind::kAggregate:
      return PruneAggregate(node, required);
    case LogicalKind::kJoin:
      return PruneJoin(node, required);
    case LogicalKind::kOver:
      return PruneOver(node, required);
    case LogicalKind::kSort:
      return PruneSort(node, required);
    case LogicalKind::kLimit:
      return PrunePassing<LogicalLimit>(node, required, {},
                                        [](LogicalLimit*, const std::vector<int>&) {});
    case LogicalKind::kUnionAll:
      return PruneUnion(node, required);
    case LogicalKind::kWindowTvf:
      return PruneWindowTvf(node, required);
  }
  return node;
}

}  // namespace

LogicalPtr PruneColumns(const LogicalPtr& node) {
  Columns all;
  for (int i = 0; i < Width(*node); ++i) all.insert(all.end(), i);
  return PruneTo(node, std::move(all));
}

}  // namespace millrace
