#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/logical_plan/new_node.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

std::string ColumnName(const Schema& schema, int index) {
  if (index < 0 || static_cast<size_t>(index) >= schema.size()) return absl::StrCat("$", index);
  return schema[index].name;
}

std::string ColumnNames(const Schema& schema, const std::vector<int>& columns) {
  return absl::StrJoin(columns, ", ", [&](std::string* out, int column) {
    absl::StrAppend(out, ColumnName(schema, column));
  });
}

std::string FieldNames(const Schema& schema) {
  return absl::StrJoin(
      schema, ", ", [](std::string* out, const Field& field) { absl::StrAppend(out, field.name); });
}

// What the expressions of `node` refer to.
Schema InputSchema(const LogicalNode& node) {
  if (node.kind == LogicalKind::kScan) return node.output;
  Schema schema;
  for (const LogicalPtr& input : node.inputs) {
    schema.insert(schema.end(), input->output.begin(), input->output.end());
    if (node.kind != LogicalKind::kJoin) break;
  }
  return schema;
}

std::string SortKeysText(const std::vector<SortKey>& keys, const Schema& schema) {
  return absl::StrJoin(keys, ", ", [&](std::string* out, const SortKey& key) {
    absl::StrAppend(out, ExprToString(*key.expr, schema));
    if (key.descending) absl::StrAppend(out, " DESC");
    if (key.nulls_first != key.descending) {
      absl::StrAppend(out, key.nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
  });
}

std::string CallText(const AggregateCall& call, const Schema& schema) {
  std::string text =
      absl::StrCat(AggregateName(call.function), "(", call.distinct ? "DISTINCT " : "");
  if (call.function == AggregateFunction::kCountStar) absl::StrAppend(&text, "*");
  absl::StrAppend(&text, ColumnNames(schema, call.args), ")");
  if (call.filter.has_value()) {
    absl::StrAppend(&text, " FILTER (", ColumnName(schema, *call.filter), ")");
  }
  return text;
}

std::string ValueText(const Value& value) { return ExprToString(*MakeLiteral(value), Schema{}); }

std::string BoundText(FrameBoundKind kind, const Value& offset) {
  switch (kind) {
    case FrameBoundKind::kUnboundedPreceding:
      return "UNBOUNDED PRECEDING";
    case FrameBoundKind::kPreceding:
      return absl::StrCat(ValueText(offset), " PRECEDING");
    case FrameBoundKind::kCurrentRow:
      return "CURRENT ROW";
    case FrameBoundKind::kFollowing:
      return absl::StrCat(ValueText(offset), " FOLLOWING");
    case FrameBoundKind::kUnboundedFollowing:
      return "UNBOUNDED FOLLOWING";
  }
  return "?";
}

// Empty for the default frame.
std::string FrameText(const OverFrame& frame) {
  const bool is_default = frame.unit == FrameUnit::kRange &&
                          frame.start == FrameBoundKind::kUnboundedPreceding &&
                          frame.end == FrameBoundKind::kCurrentRow;
  if (is_default) return "";
  const char* unit = frame.unit == FrameUnit::kRows    ? "ROWS"
                     : frame.unit == FrameUnit::kRange ? "RANGE"
                                                       : "GROUPS";
  return absl::StrCat(" ", unit, " ", BoundText(frame.start, frame.start_offset), "..",
                      BoundText(frame.end, frame.end_offset));
}

std::string OverText(const LogicalOver& over, const Schema& schema) {
  std::string text = absl::StrJoin(over.calls, ", ", [&](std::string* out, const OverCall& call) {
    if (call.aggregate.has_value()) {
      absl::StrAppend(out, CallText(*call.aggregate, schema));
    } else {
      absl::StrAppend(out, call.ranking, "(", ColumnNames(schema, call.args), ")");
    }
    absl::StrAppend(out, FrameText(call.frame));
  });
  if (!over.partition_keys.empty()) {
    absl::StrAppend(&text, " partition ", ColumnNames(schema, over.partition_keys));
  }
  if (!over.order_keys.empty()) {
    absl::StrAppend(&text, " order ", SortKeysText(over.order_keys, schema));
  }
  return text;
}

std::string JoinTypeName(JoinType type) {
  switch (type) {
    case JoinType::kInner:
      return "InnerJoin";
    case JoinType::kLeft:
      return "LeftJoin";
    case JoinType::kRight:
      return "RightJoin";
    case JoinType::kFull:
      return "FullJoin";
    case JoinType::kSemi:
      return "SemiJoin";
    case JoinType::kAnti:
      return "AntiJoin";
    case JoinType::kNullAwareAnti:
      return "NullAwareAntiJoin";
  }
  return "Join";
}

std::string ScanText(const LogicalScan& scan) {
  std::string text = absl::StrCat("Scan ", scan.object->name(), " [", FieldNames(scan.output), "]");
  if (scan.as_of_epoch.has_value()) absl::StrAppend(&text, " epoch ", *scan.as_of_epoch);
  if (scan.filter != nullptr) {
    absl::StrAppend(&text, " filter ", ExprToString(*scan.filter, scan.output));
  }
  return text;
}

std::string ProjectText(const LogicalProject& project, const Schema& schema) {
  std::vector<std::string> items;
  for (size_t i = 0; i < project.exprs.size(); ++i) {
    std::string item = ExprToString(*project.exprs[i], schema);
    if (item != project.output[i].name) absl::StrAppend(&item, " AS ", project.output[i].name);
    items.push_back(std::move(item));
  }
  if (items.empty()) return "Project no columns";
  return absl::StrCat("Project ", absl::StrJoin(items, ", "));
}

std::string ValuesText(const LogicalValues& values) {
  if (values.output.empty()) return absl::StrCat("Values ", values.rows.size(), " empty rows");
  constexpr size_t kRowsShown = 3;
  std::vector<std::string> rows;
  for (const std::vector<ExprPtr>& row : values.rows) {
    if (rows.size() == kRowsShown) {
      rows.push_back(absl::StrCat("… ", values.rows.size(), " rows"));
      break;
    }
    rows.push_back(absl::StrCat("(",
                                absl::StrJoin(row, ", ",
                                              [](std::string* out, const ExprPtr& e) {
                                                absl::StrAppend(out, ExprToString(*e, Schema{}));
                                              }),
                                ")"));
  }
  return absl::StrCat("Values [", FieldNames(values.output), "] ", absl::StrJoin(rows, ", "));
}

std::string WindowText(const LogicalWindowTvf& window, const Schema& schema) {
  const char* name = window.window == WindowKind::kTumble ? "Tumble"
                     : window.window == WindowKind::kHop  ? "Hop"
                                                          : "Cumulate";
  std::string text = absl::StrCat(name, " ", ColumnName(schema, window.time_column), " size ",
                                  window.size_micros, " us");
  if (window.slide_micros != 0) absl::StrAppend(&text, " slide ", window.slide_micros, " us");
  if (window.offset_micros != 0) absl::StrAppend(&text, " offset ", window.offset_micros, " us");
  return text;
}

std::string AggregateText(const LogicalAggregate& aggregate, const Schema& schema) {
  std::vector<std::string> parts;
  for (const AggregateCall& call : aggregate.aggregates) parts.push_back(CallText(call, schema));
  std::string text = aggregate.aggregates.empty() ? "Distinct" : "Aggregate ";
  absl::StrAppend(&text, absl::StrJoin(parts, ", "));
  if (!aggregate.keys.empty()) {
    absl::StrAppend(&text, " by ", ColumnNames(schema, aggregate.keys));
  }
  return text;
}

std::string LimitText(const LogicalLimit& limit) {
  std::string text = "Limit";
  if (limit.limit.has_value()) absl::StrAppend(&text, " ", *limit.limit);
  if (limit.offset != 0) absl::StrAppend(&text, " offset ", limit.offset);
  return text;
}

std::string JoinText(const LogicalJoin& join, const Schema& schema) {
  if (join.condition == nullptr) return JoinTypeName(join.type);
  return absl::StrCat(JoinTypeName(join.type), " on ", ExprToString(*join.condition, schema));
}

std::string NodeText(const LogicalNode& node) {
  const Schema schema = InputSchema(node);
  switch (node.kind) {
    case LogicalKind::kScan:
      return ScanText(static_cast<const LogicalScan&>(node));
    case LogicalKind::kValues:
      return ValuesText(static_cast<const LogicalValues&>(node));
    case LogicalKind::kFilter:
      return absl::StrCat("Filter ",
                          ExprToString(*static_cast<const LogicalFilter&>(node).predicate, schema));
    case LogicalKind::kProject:
      return ProjectText(static_cast<const LogicalProject&>(node), schema);
    case LogicalKind::kAggregate:
      return AggregateText(static_cast<const LogicalAggregate&>(node), schema);
    case LogicalKind::kJoin:
      return JoinText(static_cast<const LogicalJoin&>(node), schema);
    case LogicalKind::kOver:
      return absl::StrCat("Over ", OverText(static_cast<const LogicalOver&>(node), schema));
    case LogicalKind::kSort:
      return absl::StrCat("Sort ",
                          SortKeysText(static_cast<const LogicalSort&>(node).keys, schema));
    case LogicalKind::kLimit:
      return LimitText(static_cast<const LogicalLimit&>(node));
    case LogicalKind::kUnionAll:
      return "UnionAll";
    case LogicalKind::kWindowTvf:
      return WindowText(static_cast<const LogicalWindowTvf&>(node), schema);
  }
  return "?";
}

void Append(const LogicalNode& node, int depth, std::string* out) {
  absl::StrAppend(out, std::string(static_cast<size_t>(depth) * 2, ' '), NodeText(node), "\n");
  for (const LogicalPtr& input : node.inputs) Append(*input, depth + 1, out);
}

}  // namespace

std::string LogicalToString(const LogicalNode& node) {
  std::string text;
  Append(node, 0, &text);
  return text;
}

}  // namespace millrace
