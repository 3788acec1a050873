#include "coordinator/logical_plan/new_node.h"

#include <utility>

#include "common/base/check.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

LogicalPtr NewScan(std::shared_ptr<const v1::CatalogObject> object,
                   std::optional<uint64_t> as_of_epoch, int32_t position) {
  auto node = std::make_shared<LogicalScan>();
  for (int i = 0; i < object->columns_size(); ++i) {
    node->columns.push_back(i);
    node->output.push_back(FromProto(object->columns(i)));
  }
  node->object = std::move(object);
  node->as_of_epoch = as_of_epoch;
  node->position = position;
  return node;
}

LogicalPtr NewValues(Schema output, std::vector<std::vector<ExprPtr>> rows) {
  auto node = std::make_shared<LogicalValues>();
  node->output = std::move(output);
  node->rows = std::move(rows);
  return node;
}

LogicalPtr NewOneRow() { return NewValues({}, {{}}); }

LogicalPtr NewFilter(LogicalPtr input, ExprPtr predicate) {
  if (predicate == nullptr) return input;
  auto node = std::make_shared<LogicalFilter>();
  node->output = input->output;
  node->inputs.push_back(std::move(input));
  node->predicate = std::move(predicate);
  return node;
}

LogicalPtr NewProject(LogicalPtr input, std::vector<ExprPtr> exprs,
                      const std::vector<std::string>& names) {
  MR_CHECK(exprs.size() == names.size());
  auto node = std::make_shared<LogicalProject>();
  for (size_t i = 0; i < exprs.size(); ++i) {
    node->output.push_back(Field{names[i], exprs[i]->type});
  }
  node->inputs.push_back(std::move(input));
  node->exprs = std::move(exprs);
  return node;
}

LogicalPtr NewPrefix(LogicalPtr input, size_t num_columns) {
  if (input->output.size() == num_columns) return input;
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (size_t i = 0; i < num_columns; ++i) {
    exprs.push_back(MakeColumn(static_cast<int>(i), input->output[i].type));
    names.push_back(input->output[i].name);
  }
  return NewProject(std::move(input), std::move(exprs), names);
}

LogicalPtr WithNames(const LogicalPtr& input, const std::vector<std::string>& names) {
  std::vector<ExprPtr> exprs;
  if (input->kind == LogicalKind::kProject) {
    exprs = static_cast<const LogicalProject&>(*input).exprs;
    return NewProject(input->inputs[0], std::move(exprs), names);
  }
  for (size_t i = 0; i < input->output.size(); ++i) {
    exprs.push_back(MakeColumn(static_cast<int>(i), input->output[i].type));
  }
  return NewProject(input, std::move(exprs), names);
}

std::string AggregateName(AggregateFunction function) {
  switch (function) {
    case AggregateFunction::kCountStar:
    case AggregateFunction::kCount:
      return "count";
    case AggregateFunction::kSum:
      return "sum";
    case AggregateFunction::kAvg:
      return "avg";
    case AggregateFunction::kMin:
      return "min";
    case AggregateFunction::kMax:
      return "max";
    case AggregateFunction::kStddevSamp:
      return "stddev_samp";
    case AggregateFunction::kStddevPop:
      return "stddev_pop";
    case AggregateFunction::kVarSamp:
      return "var_samp";
    case AggregateFunction::kVarPop:
      return "var_pop";
    case AggregateFunction::kBoolAnd:
      return "bool_and";
    case AggregateFunction::kBoolOr:
      return "bool_or";
    case AggregateFunction::kStringAgg:
      return "string_agg";
    case AggregateFunction::kSingleValue:
      return "single_value";
  }
  return "unknown";
}

LogicalPtr NewAggregate(LogicalPtr input, std::vector<int> keys,
                        std::vector<AggregateCall> aggregates) {
  auto node = std::make_shared<LogicalAggregate>();
  for (const int key : keys) node->output.push_back(input->output[key]);
  for (const AggregateCall& call : aggregates) {
    node->output.push_back(Field{AggregateName(call.function), call.type});
  }
  node->inputs.push_back(std::move(input));
  node->keys = std::move(keys);
  node->aggregates = std::move(aggregates);
  return node;
}

LogicalPtr NewDistinct(LogicalPtr input) {
  std::vector<int> keys;
  for (size_t i = 0; i < input->output.size(); ++i) keys.push_back(static_cast<int>(i));
  return NewAggregate(std::move(input), std::move(keys), {});
}

LogicalPtr NewJoin(JoinType type, LogicalPtr left, LogicalPtr right, ExprPtr condition) {
  auto node = std::make_shared<LogicalJoin>();
  node->output = left->output;
  const bool left_only =
      type == JoinType::kSemi || type == JoinType::kAnti || type == JoinType::kNullAwareAnti;
  if (!left_only) {
    node->output.insert(node->output.end(), right->output.begin(), right->output.end());
  }
  node->type = type;
  node->inputs = {std::move(left), std::move(right)};
  node->condition = std::move(condition);
  return node;
}

LogicalPtr NewOver(LogicalPtr input, std::vector<int> partition_keys,
                   std::vector<SortKey> order_keys, std::vector<OverCall> calls) {
  auto node = std::make_shared<LogicalOver>();
  node->output = input->output;
  for (const OverCall& call : calls) {
    const std::string name =
        call.aggregate.has_value() ? AggregateName(call.aggregate->function) : call.ranking;
    node->output.push_back(Field{name, call.type});
  }
  node->inputs.push_back(std::move(input));
  node->partition_keys = std::move(partition_keys);
  node->order_keys = std::move(order_keys);
  node->calls = std::move(calls);
  return node;
}

LogicalPtr NewSort(LogicalPtr input, std::vector<SortKey> keys) {
  auto node = std::make_shared<LogicalSort>();
  node->output = input->output;
  node->inputs.push_back(std::move(input));
  node->keys = std::move(keys);
  return node;
}

LogicalPtr NewLimit(LogicalPtr input, std::optional<uint64_t> limit, uint64_t offset) {
  auto node = std::make_shared<LogicalLimit>();
  node->output = input->output;
  node->inputs.push_back(std::move(input));
  node->limit = limit;
  node->offset = offset;
  return node;
}

LogicalPtr NewUnionAll(std::vector<LogicalPtr> inputs) {
  MR_CHECK(!inputs.empty());
  auto node = std::make_shared<LogicalUnionAll>();
  node->output = inputs[0]->output;
  node->inputs = std::move(inputs);
  return node;
}

LogicalPtr NewWindowTvf(LogicalPtr input, const WindowSpec& spec) {
  auto node = std::make_shared<LogicalWindowTvf>();
  node->output = input->output;
  const SqlType time_type = input->output[spec.time_column].type;
  node->output.push_back(Field{"window_start", time_type});
  node->output.push_back(Field{"window_end", time_type});
  node->inputs.push_back(std::move(input));
  node->window = spec.kind;
  node->time_column = spec.time_column;
  node->size_micros = spec.size_micros;
  node->slide_micros = spec.slide_micros;
  node->offset_micros = spec.offset_micros;
  return node;
}

}  // namespace millrace
