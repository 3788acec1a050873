#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/sql/binder.h"
#include "millrace/v1/catalog.pb.h"

// A small catalog, and short ways to say what a statement binds to.

namespace millrace {

using ColumnList = std::vector<std::pair<std::string, SqlType>>;

inline v1::CatalogObject MakeObject(uint64_t id, const std::string& name, v1::ObjectKind kind,
                                    const ColumnList& columns) {
  v1::CatalogObject object;
  object.set_id(id);
  object.set_name(name);
  object.set_kind(kind);
  object.set_state(v1::OBJECT_STATE_READY);
  for (const auto& [column, type] : columns) ToProto(Field{column, type}, object.add_columns());
  return object;
}

// t(a int, b text, c numeric(10,2), ts timestamp); u(a bigint, d text, e double precision);
// orders(id bigint PRIMARY KEY, customer bigint NOT NULL, amount numeric(12,2), placed date);
// clicks: a source with a watermark; per_minute: a materialized view; v: a view; out: files without
// columns.
inline CatalogSnapshot MakeTestCatalog() {
  const SqlType int4 = SqlType::Of(TypeId::kInt32);
  const SqlType int8 = SqlType::Of(TypeId::kInt64);
  const SqlType text = SqlType::Of(TypeId::kText);
  const SqlType timestamp = SqlType::Of(TypeId::kTimestamp);
  std::vector<v1::CatalogObject> objects;
  objects.push_back(
      MakeObject(1, "t", v1::OBJECT_KIND_TABLE,
                 {{"a", int4}, {"b", text}, {"c", SqlType::Numeric(10, 2)}, {"ts", timestamp}}));
  objects.push_back(MakeObject(2, "u", v1::OBJECT_KIND_TABLE,
                               {{"a", int8}, {"d", text}, {"e", SqlType::Of(TypeId::kFloat64)}}));
  objects.push_back(MakeObject(3, "orders", v1::OBJECT_KIND_TABLE,
                               {{"id", int8},
                                {"customer", int8},
                                {"amount", SqlType::Numeric(12, 2)},
                                {"placed", SqlType::Of(TypeId::kDate)}}));
  objects.back().add_primary_key(0);
  objects.back().add_not_null_columns(0);
  objects.back().add_not_null_columns(1);
  objects.push_back(MakeObject(
      4, "clicks", v1::OBJECT_KIND_SOURCE,
      {{"user_id", int8}, {"url", text}, {"price", SqlType::Numeric(12, 2)}, {"ts", timestamp}}));
  objects.back().set_connector("file");
  objects.push_back(MakeObject(5, "per_minute", v1::OBJECT_KIND_MATERIALIZED_VIEW,
                               {{"window_start", timestamp}, {"url", text}, {"clicks", int8}}));
  objects.push_back(MakeObject(6, "v", v1::OBJECT_KIND_VIEW, {{"a", int4}, {"upper_b", text}}));
  objects.back().set_query("SELECT a, upper(b) FROM t WHERE a > 0");
  objects.push_back(MakeObject(7, "out", v1::OBJECT_KIND_SOURCE, {}));
  objects.back().set_connector("file");
  std::vector<CatalogObjectPtr> all = SystemViews();
  for (v1::CatalogObject& object : objects) {
    all.push_back(std::make_shared<const v1::CatalogObject>(std::move(object)));
  }
  return CatalogSnapshot(std::move(all), 1);
}

// Files have one column x bigint.
inline BindContext MakeTestContext() {
  BindContext context;
  context.infer_file = [](const std::string& path,
                          const std::string& format) -> absl::StatusOr<CatalogObjectPtr> {
    if (format.empty()) {
      return MakeError(SqlState::kInvalidParameterValue,
                       absl::StrCat("cannot tell the format of ", path));
    }
    v1::CatalogObject object =
        MakeObject(0, path, v1::OBJECT_KIND_SOURCE, {{"x", SqlType::Of(TypeId::kInt64)}});
    object.set_connector("file");
    return std::make_shared<const v1::CatalogObject>(std::move(object));
  };
  return context;
}

inline absl::StatusOr<BoundStatement> Bind(absl::string_view sql) {
  return BindStatement(sql, MakeTestCatalog(), MakeTestContext());
}

// The statement as `Bound`, or a test failure.
template <typename Bound>
Bound BindAs(absl::string_view sql) {
  absl::StatusOr<BoundStatement> bound = Bind(sql);
  if (!bound.ok()) {
    ADD_FAILURE() << sql << ": " << bound.status().message();
    return Bound{};
  }
  const Bound* statement = std::get_if<Bound>(&bound->statement);
  if (statement == nullptr) {
    ADD_FAILURE() << sql << ": another kind of statement";
    return Bound{};
  }
  return *statement;
}

// "42703@8: column … does not exist | hint".
inline std::string ErrorText(const absl::Status& status) {
  if (status.ok()) return "ok";
  const ErrorDetail detail = GetErrorDetail(status);
  return absl::StrCat(std::string(SqlStateCode(detail.state)), "@", detail.position, ": ",
                      std::string(status.message()),
                      detail.hint.empty() ? "" : absl::StrCat(" | ", detail.hint));
}

// "42703@8" alone.
inline std::string ErrorPlace(const absl::Status& status) {
  const std::string text = ErrorText(status);
  return text.substr(0, text.find(':'));
}

// The plan of a query as lines, or its error.
inline std::string PlanOf(absl::string_view sql) {
  const absl::StatusOr<BoundStatement> bound = Bind(sql);
  if (!bound.ok()) return ErrorText(bound.status());
  LogicalPtr plan;
  if (const auto* select = std::get_if<BoundSelect>(&bound->statement)) plan = select->plan;
  if (const auto* insert = std::get_if<BoundInsert>(&bound->statement)) plan = insert->plan;
  if (const auto* view = std::get_if<BoundCreateView>(&bound->statement)) plan = view->plan;
  if (const auto* table = std::get_if<BoundCreateTableAs>(&bound->statement)) plan = table->plan;
  if (const auto* copy = std::get_if<BoundCopyTo>(&bound->statement)) plan = copy->plan;
  if (const auto* copy = std::get_if<BoundCopyFrom>(&bound->statement)) plan = copy->plan;
  return plan == nullptr ? "no plan" : LogicalToString(*plan);
}

// "a integer, b text": names and types of the result.
inline std::string ColumnsOf(absl::string_view sql) {
  const absl::StatusOr<BoundStatement> bound = Bind(sql);
  if (!bound.ok()) return ErrorText(bound.status());
  const auto* select = std::get_if<BoundSelect>(&bound->statement);
  if (select == nullptr) return "no select";
  std::string text;
  for (const Field& field : select->plan->output) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", field.name, " ", TypeName(field.type));
  }
  return text;
}

}  // namespace millrace
