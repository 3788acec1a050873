#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/logical_plan/new_node.h"
#include "millrace/v1/catalog.pb.h"

// A small vocabulary for tests of the planner: tables, expressions by column name, nodes.

namespace millrace {

inline SqlType Int() { return SqlType::Of(TypeId::kInt64); }
inline SqlType Int4() { return SqlType::Of(TypeId::kInt32); }
inline SqlType Text() { return SqlType::Of(TypeId::kText); }
inline SqlType Float() { return SqlType::Of(TypeId::kFloat64); }
inline SqlType Time() { return SqlType::Of(TypeId::kTimestamp); }
inline SqlType Bool() { return SqlType::Of(TypeId::kBoolean); }

// A stored table with these columns and rows; its id follows from its name, which is one letter.
inline std::shared_ptr<v1::CatalogObject> TableOf(const std::string& name, const Schema& columns,
                                                  uint64_t rows = 1000) {
  auto object = std::make_shared<v1::CatalogObject>();
  object->set_id(static_cast<uint64_t>(name[0]));
  object->set_name(name);
  object->set_kind(v1::OBJECT_KIND_TABLE);
  for (const Field& field : columns) ToProto(field, object->add_columns());
  object->mutable_table_version()->add_segments()->set_rows(rows);
  return object;
}

// Files of unknown size; `time_column` >= 0 has a watermark five seconds behind.
inline std::shared_ptr<v1::CatalogObject> SourceOf(const std::string& name, const Schema& columns,
                                                   int time_column = -1) {
  std::shared_ptr<v1::CatalogObject> object = TableOf(name, columns);
  object->set_kind(v1::OBJECT_KIND_SOURCE);
  object->set_connector("file");
  object->clear_table_version();
  if (time_column >= 0) {
    object->mutable_watermark()->set_time_column(static_cast<uint32_t>(time_column));
    object->mutable_watermark()->set_delay_micros(5000000);
  }
  return object;
}

inline LogicalPtr Scan(std::shared_ptr<const v1::CatalogObject> object) {
  return NewScan(std::move(object), std::nullopt, 0);
}

// A table called `name` with bigint columns <name>a, <name>b, <name>c.
inline LogicalPtr Abc(const std::string& name, uint64_t rows = 1000) {
  return Scan(TableOf(name, {{name + "a", Int()}, {name + "b", Int()}, {name + "c", Int()}}, rows));
}

// Position of a column by its name.
inline int At(const Schema& schema, const std::string& name) {
  for (size_t i = 0; i < schema.size(); ++i) {
    if (schema[i].name == name) return static_cast<int>(i);
  }
  MR_CHECK(false);
  return -1;
}
inline int At(const LogicalPtr& node, const std::string& name) { return At(node->output, name); }

inline ExprPtr Col(const Schema& schema, const std::string& name) {
  const int column = At(schema, name);
  return MakeColumn(column, schema[column].type);
}
inline ExprPtr Col(const LogicalPtr& node, const std::string& name) {
  return Col(node->output, name);
}
// A column of a join's input: those of the left come first.
inline ExprPtr Col(const LogicalPtr& left, const LogicalPtr& right, const std::string& name) {
  Schema both = left->output;
  both.insert(both.end(), right->output.begin(), right->output.end());
  return Col(both, name);
}

inline ExprPtr Lit(int64_t value) { return MakeLiteral(Value{Int(), value}); }
inline ExprPtr Lit(const std::string& value) { return MakeLiteral(Value{Text(), value}); }
inline ExprPtr Null(SqlType type) { return MakeLiteral(Value::Null(type)); }

inline ExprPtr Op(const std::string& op, ExprPtr left, ExprPtr right) {
  return BuildOperator(op, {std::move(left), std::move(right)}, 0).value();
}
inline ExprPtr Eq(ExprPtr left, ExprPtr right) {
  return Op("=", std::move(left), std::move(right));
}
inline ExprPtr And(std::vector<ExprPtr> args) { return BuildAnd(std::move(args), 0).value(); }
inline ExprPtr Or(std::vector<ExprPtr> args) { return BuildOr(std::move(args), 0).value(); }
inline ExprPtr Call(const std::string& name, std::vector<ExprPtr> args) {
  return BuildFunctionCall(name, std::move(args), 0).value();
}
// random(): volatile, whether or not the catalog has it.
inline ExprPtr Random() {
  auto call = std::make_shared<Expr>();
  call->kind = ExprKind::kCall;
  call->type = Float();
  call->function = "random()";
  return call;
}
inline ExprPtr IsTest(const std::string& test, ExprPtr arg) {
  return BuildIsTest(test, std::move(arg), 0).value();
}

inline SortKey Asc(ExprPtr expr) { return {std::move(expr), false, false}; }
inline SortKey Desc(ExprPtr expr) { return {std::move(expr), true, true}; }

inline AggregateCall CountStar() { return {AggregateFunction::kCountStar, {}, false, {}, Int()}; }
inline AggregateCall Aggregate(AggregateFunction function, int arg, SqlType type,
                               bool distinct = false) {
  return {function, {arg}, distinct, {}, type};
}

// row_number() OVER (PARTITION BY keys ORDER BY order).
inline LogicalPtr RowNumber(LogicalPtr input, std::vector<int> keys, std::vector<SortKey> order) {
  OverCall call;
  call.ranking = "row_number";
  call.type = Int();
  return NewOver(std::move(input), std::move(keys), std::move(order), {call});
}

// tumble(input, column, one minute).
inline LogicalPtr Tumble(LogicalPtr input, const std::string& column,
                         WindowKind window = WindowKind::kTumble) {
  WindowSpec spec;
  spec.kind = window;
  spec.time_column = At(input, column);
  spec.size_micros = 60000000;
  if (window != WindowKind::kTumble) spec.slide_micros = 10000000;
  return NewWindowTvf(std::move(input), spec);
}

inline LogicalPtr Project(LogicalPtr input, std::vector<ExprPtr> exprs,
                          const std::vector<std::string>& names) {
  return NewProject(std::move(input), std::move(exprs), names);
}

// The columns of `input` with these names.
inline LogicalPtr Pick(const LogicalPtr& input, const std::vector<std::string>& names) {
  std::vector<ExprPtr> exprs;
  for (const std::string& name : names) exprs.push_back(Col(input, name));
  return NewProject(input, std::move(exprs), names);
}

}  // namespace millrace
