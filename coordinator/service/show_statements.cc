#include "coordinator/service/show_statements.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/expr/expr.h"
#include "common/expr/function_catalog.h"
#include "coordinator/service/ipc_rows.h"
#include "coordinator/service/job_status.h"
#include "coordinator/sql/settings.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

absl::StatusOr<StatementResult> Finish(const TextRows& rows, ResultSink& sink, std::string tag) {
  MR_RETURN_IF_ERROR(WriteTextRows(rows, sink));
  StatementResult result = Done(std::move(tag));
  result.rows = rows.rows.size();
  return result;
}

std::string KindName(const v1::CatalogObject& object) {
  switch (object.kind()) {
    case v1::OBJECT_KIND_TABLE:
      return "stored table";
    case v1::OBJECT_KIND_VIEW:
      return "view";
    case v1::OBJECT_KIND_MATERIALIZED_VIEW:
      return "materialized view";
    default:
      return absl::StrCat(object.connector(), " table");
  }
}

TextRows Objects(const CatalogSnapshot& catalog, const std::set<v1::ObjectKind>& kinds) {
  TextRows rows;
  rows.columns = {"name", "kind"};
  for (const CatalogObjectPtr& object : catalog.ListAll()) {
    if (kinds.contains(object->kind())) rows.rows.push_back({object->name(), KindName(*object)});
  }
  return rows;
}

// Tables that streaming jobs write to.
TextRows Sinks(const CatalogSnapshot& catalog, const ClusterParts& parts) {
  TextRows rows;
  rows.columns = {"name", "kind", "job"};
  for (const v1::JobRecord& record : parts.job_store.List()) {
    const std::optional<StreamView> stream = parts.streams.View(record.id());
    if (!stream.has_value()) continue;
    for (const uint64_t id : FileSinksOf(*stream->plan)) {
      const CatalogObjectPtr sink = catalog.FindById(id);
      if (sink != nullptr) rows.rows.push_back({sink->name(), KindName(*sink), record.name()});
    }
  }
  return rows;
}

TextRows Jobs(const ClusterParts& parts) {
  TextRows rows;
  rows.columns = {"id", "name", "state", "published_epoch", "durable_epoch"};
  for (const v1::JobRecord& record : parts.job_store.List()) {
    if (record.parent_job_id() != 0) continue;  // Part of a script.
    const v1::JobStatus status = StatusOfJob(record, parts);
    rows.rows.push_back({status.id(), status.name(), JobStateName(status.state()),
                         absl::StrCat(status.published_epoch()),
                         absl::StrCat(status.durable_epoch())});
  }
  return rows;
}

TextRows Functions() {
  TextRows rows;
  rows.columns = {"name", "arguments", "result", "description"};
  for (const FunctionEntry& entry : AllFunctions()) {
    std::vector<std::string> arguments;
    for (TypeId type : entry.args) arguments.push_back(TypeName(SqlType::Of(type)));
    rows.rows.push_back({entry.name, absl::StrJoin(arguments, ", "),
                         TypeName(SqlType::Of(entry.result)), entry.description});
  }
  return rows;
}

}  // namespace

absl::StatusOr<StatementResult> ShowStatements::Show(const BoundShow& statement) {
  const CatalogSnapshot& catalog = *moment_.catalog;
  if (statement.what == "tables") {
    return Finish(Objects(catalog, {v1::OBJECT_KIND_TABLE, v1::OBJECT_KIND_SOURCE}), context_.sink,
                  "SHOW");
  }
  if (statement.what == "views") {
    return Finish(Objects(catalog, {v1::OBJECT_KIND_VIEW, v1::OBJECT_KIND_MATERIALIZED_VIEW}),
                  context_.sink, "SHOW");
  }
  if (statement.what == "sinks") return Finish(Sinks(catalog, parts_), context_.sink, "SHOW");
  if (statement.what == "jobs") return Finish(Jobs(parts_), context_.sink, "SHOW");
  if (statement.what == "functions") return Finish(Functions(), context_.sink, "SHOW");
  if (statement.what == "all") {
    TextRows rows;
    rows.columns = {"name", "setting", "description"};
    for (const SettingSpec& setting : AllSettings()) {
      rows.rows.push_back({setting.name, ValueOf(setting), setting.description});
    }
    return Finish(rows, context_.sink, "SHOW");
  }
  return ShowSetting(statement.what);
}

absl::StatusOr<StatementResult> ShowStatements::ShowSetting(const std::string& name) {
  MR_ASSIGN_OR_RETURN(const SettingSpec* setting, FindSetting(name));
  TextRows rows;
  rows.columns = {name};
  rows.rows = {{ValueOf(*setting)}};
  return Finish(rows, context_.sink, "SHOW");
}

absl::StatusOr<StatementResult> ShowStatements::Describe(const BoundDescribe& statement) {
  const v1::CatalogObject& object = *statement.object;
  const std::set<uint32_t> not_null(object.not_null_columns().begin(),
                                    object.not_null_columns().end());
  const std::set<uint32_t> key(object.primary_key().begin(), object.primary_key().end());
  TextRows rows;
  rows.columns = {"column", "type", "attributes"};
  for (int i = 0; i < object.columns_size(); ++i) {
    const auto column = static_cast<uint32_t>(i);
    std::vector<std::string> attributes;
    if (key.contains(column)) attributes.emplace_back("primary key");
    if (not_null.contains(column)) attributes.emplace_back("not null");
    const auto found = object.column_defaults().find(column);
    if (found != object.column_defaults().end()) {
      MR_ASSIGN_OR_RETURN(const ExprPtr value, FromProto(found->second));
      attributes.push_back(absl::StrCat("default ", ExprToString(*value, {})));
    }
    if (object.has_watermark() && object.watermark().time_column() == column) {
      attributes.push_back(
          absl::StrCat("watermark delay ", object.watermark().delay_micros(), " us"));
    }
    const Field field = FromProto(object.columns(i));
    rows.rows.push_back({field.name, TypeName(field.type), absl::StrJoin(attributes, ", ")});
  }
  return Finish(rows, context_.sink, "DESCRIBE");
}

std::string ShowStatements::ValueOf(const SettingSpec& setting) const {
  auto it = context_.settings.find(setting.name);
  return it != context_.settings.end() ? it->second : setting.default_value;
}

absl::StatusOr<StatementResult> ShowStatements::Set(const BoundSet& statement) {
  StatementResult result = Done(statement.value.has_value() ? "SET" : "RESET");
  if (statement.name == "all") {
    for (const auto& [name, value] : context_.settings) {
      result.settings.emplace_back(name, std::nullopt);
    }
    context_.settings.clear();
    return result;
  }
  if (statement.value.has_value()) {
    context_.settings[statement.name] = *statement.value;
  } else {
    context_.settings.erase(statement.name);
  }
  result.settings.emplace_back(statement.name, statement.value);
  return result;
}

}  // namespace millrace
