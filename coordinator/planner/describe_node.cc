#include "coordinator/planner/describe_node.h"

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/expr/expr.h"
#include "coordinator/logical_plan/new_node.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

using Details = std::vector<std::string>;

Schema OutputOf(const v1::PlanNode& node) {
  Schema schema;
  for (const v1::Field& field : node.output()) schema.push_back(FromProto(field));
  return schema;
}

// The columns that the node's expressions refer to.
Schema InputOf(const v1::PlanNode& node) {
  Schema schema;
  for (const v1::PlanNode& input : node.inputs()) {
    const Schema more = OutputOf(input);
    schema.insert(schema.end(), more.begin(), more.end());
  }
  return schema;
}

std::string ColumnName(uint32_t column, const Schema& schema) {
  return column < schema.size() ? schema[column].name : absl::StrCat("#", column);
}

template <typename Columns>
std::string ColumnList(const Columns& columns, const Schema& schema) {
  return absl::StrJoin(columns, ", ", [&](std::string* out, uint32_t column) {
    absl::StrAppend(out, ColumnName(column, schema));
  });
}

std::string ExprText(const v1::Expr& proto, const Schema& schema) {
  const absl::StatusOr<ExprPtr> expr = FromProto(proto);
  return expr.ok() ? ExprToString(**expr, schema) : "?";
}

template <typename Keys>
std::string SortKeyList(const Keys& keys, const Schema& schema) {
  return absl::StrJoin(keys, ", ", [&](std::string* out, const v1::SortKey& key) {
    absl::StrAppend(out, ExprText(key.expr(), schema), key.descending() ? " desc" : "");
    // PostgreSQL's default puts NULLs last ascending and first descending.
    if (key.nulls_first() != key.descending()) {
      absl::StrAppend(out, key.nulls_first() ? " nulls first" : " nulls last");
    }
  });
}

// "AGGREGATE_FUNCTION_COUNT_STAR" → "count_star".
std::string EnumTail(const std::string& name, size_t prefix) {
  return absl::AsciiStrToLower(name.substr(prefix));
}

std::string FunctionText(v1::AggregateFunction function) {
  return AggregateName(static_cast<AggregateFunction>(function));
}

std::string CallText(const v1::AggregateCall& call, const Schema& schema) {
  const bool star = call.function() == v1::AGGREGATE_FUNCTION_COUNT_STAR;
  std::string text =
      absl::StrCat(FunctionText(call.function()), "(", call.distinct() ? "distinct " : "",
                   star ? "*" : ColumnList(call.args(), schema), ")");
  if (call.has_filter()) {
    absl::StrAppend(&text, " filter (", ColumnName(call.filter(), schema), ")");
  }
  return text;
}

std::string JoinTypeText(v1::JoinType type) {
  return EnumTail(v1::JoinType_Name(type), sizeof("JOIN_TYPE_") - 1);
}

Details ScanDetails(const v1::PlanNode& node) {
  const v1::ScanNode& scan = node.scan();
  Details details{absl::StrCat(scan.table_name(), " (", scan.connector(), ")"),
                  absl::StrCat("columns: ", ColumnList(scan.projection(), [&] {
                                 Schema all;
                                 for (const auto& field : scan.columns()) {
                                   all.push_back(FromProto(field));
                                 }
                                 return all;
                               }()))};
  if (scan.connector() == "kafka") {
    const auto option = [&scan](const char* name, const char* otherwise) {
      const auto found = scan.options().find(name);
      return found == scan.options().end() ? std::string(otherwise) : found->second;
    };
    details.push_back(absl::StrCat("topic: ", option("topic", "?"), " from ",
                                   option("start", "earliest"), " to ", option("stop", "latest")));
  }
  if (scan.has_filter()) {
    details.push_back(absl::StrCat("filter: ", ExprText(scan.filter(), OutputOf(node))));
  }
  if (scan.has_watermark()) {
    const uint32_t column = scan.watermark().time_column();
    details.push_back(absl::StrCat(
        "watermark: ",
        column < static_cast<uint32_t>(scan.columns_size()) ? scan.columns(column).name() : "?",
        " - ", scan.watermark().delay_micros(), " us"));
  }
  return details;
}

Details AggregateDetails(const v1::HashAggregateNode& op, const Schema& input) {
  Details details;
  if (op.phase() == v1::AGGREGATE_PHASE_PARTIAL) details.push_back("partial");
  if (op.phase() == v1::AGGREGATE_PHASE_FINAL) details.push_back("final");
  if (op.keys_size() > 0) {
    details.push_back(absl::StrCat("keys: ", ColumnList(op.keys(), input)));
  }
  if (op.aggregates_size() > 0) {
    details.push_back(
        absl::StrCat("aggregates: ",
                     absl::StrJoin(op.aggregates(), ", ", [&](std::string* out, const auto& call) {
                       // The accumulators of one aggregate all bear its name.
                       absl::StrAppend(out, op.phase() == v1::AGGREGATE_PHASE_FINAL
                                                ? FunctionText(call.function())
                                                : CallText(call, input));
                     })));
  }
  if (op.emit() == v1::EMIT_MODE_CHANGES) details.push_back("emit: changes");
  if (op.emit() == v1::EMIT_MODE_ON_WINDOW_CLOSE) details.push_back("emit: on window close");
  if (op.has_window_end_key()) {
    details.push_back(
        absl::StrCat("window end: ", ColumnName(op.keys(op.window_end_key()), input)));
  }
  return details;
}

Details HashJoinDetails(const v1::PlanNode& node) {
  const v1::HashJoinNode& op = node.hash_join();
  const Schema left = OutputOf(node.inputs(0));
  const Schema right = OutputOf(node.inputs(1));
  Details details{JoinTypeText(op.type())};
  std::vector<std::string> keys;
  for (int i = 0; i < op.left_keys_size(); ++i) {
    keys.push_back(absl::StrCat(ColumnName(op.left_keys(i), left), " = ",
                                ColumnName(op.right_keys(i), right)));
  }
  details.push_back(absl::StrCat("on: ", absl::StrJoin(keys, " and ")));
  if (op.has_residual()) {
    details.push_back(absl::StrCat("and: ", ExprText(op.residual(), InputOf(node))));
  }
  if (op.symmetric()) details.push_back("symmetric");
  if (op.has_window_end_key()) {
    details.push_back(
        absl::StrCat("window end: ", ColumnName(op.left_keys(op.window_end_key()), left)));
  }
  return details;
}

std::string BoundText(const v1::FrameBound& bound) {
  std::string text = EnumTail(v1::FrameBound_Kind_Name(bound.kind()), sizeof("KIND_") - 1);
  if (bound.has_offset() && bound.offset().value_case() == v1::Value::kIntValue) {
    text = absl::StrCat(bound.offset().int_value(), " ", text);
  }
  for (char& c : text) c = c == '_' ? ' ' : c;
  return text;
}

std::string OverCallText(const v1::OverCall& call, const Schema& input) {
  const std::string function =
      call.has_aggregate() ? CallText(call.aggregate(), input)
                           : absl::StrCat(call.ranking(), "(", ColumnList(call.args(), input), ")");
  const std::string unit = EnumTail(v1::Frame_Unit_Name(call.frame().unit()), sizeof("UNIT_") - 1);
  return absl::StrCat(function, " ", unit, " ", BoundText(call.frame().start()), " .. ",
                      BoundText(call.frame().end()));
}

Details OverDetails(const v1::OverNode& op, const Schema& input) {
  Details details;
  for (const v1::OverCall& call : op.calls()) details.push_back(OverCallText(call, input));
  if (op.partition_keys_size() > 0) {
    details.push_back(absl::StrCat("partition: ", ColumnList(op.partition_keys(), input)));
  }
  if (op.order_keys_size() > 0) {
    details.push_back(absl::StrCat("order: ", SortKeyList(op.order_keys(), input)));
  }
  if (op.event_time()) details.push_back("event time");
  return details;
}

Details GroupTopNDetails(const v1::GroupTopNNode& op, const Schema& input) {
  const bool all = op.limit() == std::numeric_limits<uint64_t>::max();
  Details details{all ? std::string("no limit") : absl::StrCat("limit: ", op.limit())};
  if (op.partition_keys_size() > 0) {
    details.push_back(absl::StrCat("partition: ", ColumnList(op.partition_keys(), input)));
  }
  if (op.order_keys_size() > 0) {
    details.push_back(absl::StrCat("order: ", SortKeyList(op.order_keys(), input)));
  }
  if (op.with_number()) details.push_back("with number");
  return details;
}

Details WindowDetails(const v1::WindowTvfNode& op, const Schema& input) {
  Details details{EnumTail(v1::WindowTvfNode_Kind_Name(op.kind()), sizeof("KIND_") - 1),
                  absl::StrCat("time: ", ColumnName(op.time_column(), input)),
                  absl::StrCat("size: ", op.size_micros(), " us")};
  if (op.slide_micros() > 0) details.push_back(absl::StrCat("slide: ", op.slide_micros(), " us"));
  if (op.offset_micros() != 0) {
    details.push_back(absl::StrCat("offset: ", op.offset_micros(), " us"));
  }
  return details;
}

Details LimitDetails(const v1::LimitNode& op) {
  Details details;
  if (op.has_limit()) details.push_back(absl::StrCat("limit: ", op.limit()));
  if (op.offset() > 0) details.push_back(absl::StrCat("offset: ", op.offset()));
  return details;
}

Details TopNDetails(const v1::TopNNode& op, const Schema& input) {
  Details details{absl::StrCat("limit: ", op.limit())};
  if (op.offset() > 0) details.push_back(absl::StrCat("offset: ", op.offset()));
  if (op.keys_size() > 0) details.push_back(absl::StrCat("order: ", SortKeyList(op.keys(), input)));
  return details;
}

Details ExchangeDetails(const v1::PlanNode& node) {
  const v1::ExchangeNode& op = node.exchange();
  Details details{absl::StrCat("from fragment ", op.producer_fragment())};
  if (op.merge_keys_size() > 0) {
    details.push_back(absl::StrCat("merge: ", SortKeyList(op.merge_keys(), OutputOf(node))));
  }
  return details;
}

Details ProjectDetails(const v1::PlanNode& node, const Schema& input) {
  std::vector<std::string> exprs;
  for (int i = 0; i < node.project().exprs_size(); ++i) {
    std::string text = ExprText(node.project().exprs(i), input);
    const std::string& name = node.output(i).name();
    exprs.push_back(text == name ? text : absl::StrCat(text, " as ", name));
  }
  return {absl::StrJoin(exprs, ", ")};
}

Details ViewSinkDetails(const v1::PlanNode& node, const Schema& input) {
  const v1::ViewSinkNode& op = node.view_sink();
  return {op.view_name(), op.key_columns().empty()
                              ? "key: the whole row"
                              : absl::StrCat("key: ", ColumnList(op.key_columns(), input))};
}

// Sinks of all connectors are one kind of node; people know them by the connector.
std::string OutsideSinkName(const v1::FileSinkNode& op) {
  const auto connector = op.options().find("connector");
  if (connector == op.options().end()) return "FileSink";
  if (connector->second == "kafka") return "KafkaSink";
  return connector->second == "blackhole" ? "BlackholeSink" : "FileSink";
}

}  // namespace

std::string NodeName(const v1::PlanNode& node) {
  switch (node.op_case()) {
    case v1::PlanNode::kScan:
      return "Scan";
    case v1::PlanNode::kValues:
      return "Values";
    case v1::PlanNode::kFilter:
      return "Filter";
    case v1::PlanNode::kProject:
      return "Project";
    case v1::PlanNode::kHashAggregate:
      return "HashAggregate";
    case v1::PlanNode::kHashJoin:
      return "HashJoin";
    case v1::PlanNode::kSort:
      return "Sort";
    case v1::PlanNode::kTopN:
      return "TopN";
    case v1::PlanNode::kLimit:
      return "Limit";
    case v1::PlanNode::kUnionAll:
      return "UnionAll";
    case v1::PlanNode::kOver:
      return "Over";
    case v1::PlanNode::kWindowTvf:
      return "Window";
    case v1::PlanNode::kExchange:
      return "Exchange";
    case v1::PlanNode::kFileSink:
      return OutsideSinkName(node.file_sink());
    case v1::PlanNode::kTableSink:
      return "TableSink";
    case v1::PlanNode::kViewSink:
      return "ViewSink";
    case v1::PlanNode::kNestedLoopJoin:
      return "NestedLoopJoin";
    case v1::PlanNode::kGroupTopN:
      return "GroupTopN";
    case v1::PlanNode::OP_NOT_SET:
      break;
  }
  return "?";
}

std::vector<std::string> NodeDetails(const v1::PlanNode& node) {
  const Schema input = InputOf(node);
  switch (node.op_case()) {
    case v1::PlanNode::kScan:
      return ScanDetails(node);
    case v1::PlanNode::kValues:
      return {absl::StrCat("rows: ", node.values().rows_size())};
    case v1::PlanNode::kFilter:
      return {ExprText(node.filter().predicate(), input)};
    case v1::PlanNode::kProject:
      return ProjectDetails(node, input);
    case v1::PlanNode::kHashAggregate:
      return AggregateDetails(node.hash_aggregate(), input);
    case v1::PlanNode::kHashJoin:
      return HashJoinDetails(node);
    case v1::PlanNode::kNestedLoopJoin: {
      const v1::NestedLoopJoinNode& op = node.nested_loop_join();
      Details details{JoinTypeText(op.type())};
      if (op.has_condition()) {
        details.push_back(absl::StrCat("on: ", ExprText(op.condition(), input)));
      }
      return details;
    }
    case v1::PlanNode::kSort:
      return {SortKeyList(node.sort().keys(), input)};
    case v1::PlanNode::kTopN:
      return TopNDetails(node.top_n(), input);
    case v1::PlanNode::kLimit:
      return LimitDetails(node.limit());
    case v1::PlanNode::kOver:
      return OverDetails(node.over(), input);
    case v1::PlanNode::kGroupTopN:
      return GroupTopNDetails(node.group_top_n(), input);
    case v1::PlanNode::kWindowTvf:
      return WindowDetails(node.window_tvf(), input);
    case v1::PlanNode::kExchange:
      return ExchangeDetails(node);
    case v1::PlanNode::kFileSink:
      return {node.file_sink().table_name()};
    case v1::PlanNode::kTableSink:
      return {absl::StrCat("object ", node.table_sink().object_id())};
    case v1::PlanNode::kViewSink:
      return ViewSinkDetails(node, input);
    case v1::PlanNode::kUnionAll:
    case v1::PlanNode::OP_NOT_SET:
      break;
  }
  return {};
}

std::string DistributionText(const v1::Output& output, const v1::PlanNode& root) {
  switch (output.distribution()) {
    case v1::DISTRIBUTION_SINGLE:
      return "single";
    case v1::DISTRIBUTION_HASH:
      return absl::StrCat("hash by ", ColumnList(output.key_columns(), OutputOf(root)));
    case v1::DISTRIBUTION_BROADCAST:
      return "broadcast";
    case v1::DISTRIBUTION_ROUND_ROBIN:
      return "round robin";
    case v1::DISTRIBUTION_FORWARD:
      return "forward";
    case v1::DISTRIBUTION_RESULT:
      return "result";
    default:
      return "?";
  }
}

}  // namespace millrace
