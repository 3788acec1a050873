#include "coordinator/service/definition_statements.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/connector_spec/connector_options.h"
#include "common/connector_spec/kafka_options.h"
#include "common/logging/log.h"
#include "coordinator/catalog/drop_plan.h"
#include "coordinator/planner/planner.h"
#include "coordinator/planner/rules/logical_build.h"
#include "coordinator/scheduler/partition_splits.h"
#include "coordinator/service/file_definition.h"
#include "coordinator/service/late_rows_view.h"
#include "coordinator/service/table_upkeep.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

void CollectScans(const LogicalNode& node, std::set<uint64_t>& ids) {
  if (node.kind == LogicalKind::kScan) {
    const v1::CatalogObject& object = *As<LogicalScan>(node).object;
    if (object.id() != 0 && object.connector() != kSystemConnector) ids.insert(object.id());
  }
  for (const LogicalPtr& input : node.inputs) CollectScans(*input, ids);
}

const char* ClassName(ObjectClass object_class) {
  switch (object_class) {
    case ObjectClass::kTable:
      return "table";
    case ObjectClass::kView:
      return "view";
    case ObjectClass::kMaterializedView:
      return "materialized view";
    case ObjectClass::kSource:
      return "source";
    case ObjectClass::kSink:
      return "sink";
  }
  return "object";
}

bool IsOfClass(const v1::CatalogObject& object, ObjectClass object_class) {
  switch (object_class) {
    case ObjectClass::kTable:
      return object.kind() == v1::OBJECT_KIND_TABLE || object.kind() == v1::OBJECT_KIND_SOURCE;
    case ObjectClass::kView:
      return object.kind() == v1::OBJECT_KIND_VIEW;
    case ObjectClass::kMaterializedView:
      return object.kind() == v1::OBJECT_KIND_MATERIALIZED_VIEW;
    case ObjectClass::kSource:
    case ObjectClass::kSink:
      return object.kind() == v1::OBJECT_KIND_SOURCE;
  }
  return false;
}

std::string DropTag(ObjectClass object_class) {
  std::string words = ClassName(object_class);
  for (char& c : words) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return absl::StrCat("DROP ", words);
}

}  // namespace

std::vector<uint64_t> ObjectsReadBy(const LogicalNode& plan) {
  std::set<uint64_t> ids;
  CollectScans(plan, ids);
  return {ids.begin(), ids.end()};
}

absl::StatusOr<CatalogObjectPtr> CreateObject(Catalog& catalog, v1::CatalogObject object,
                                              bool if_not_exists, ResultSink& sink,
                                              const Catalog::Extra& also) {
  const std::string name = object.name();
  absl::StatusOr<CatalogObjectPtr> created = catalog.Create(std::move(object), also);
  if (created.ok() || !if_not_exists ||
      GetErrorDetail(created.status()).state != SqlState::kDuplicateTable) {
    return created;
  }
  MR_RETURN_IF_ERROR(
      sink.Notice(absl::StrCat("relation \"", name, "\" already exists, skipping"), ""));
  return CatalogObjectPtr();
}

absl::StatusOr<v1::CatalogObject> DefinitionStatements::OutsideTable(
    const BoundCreateTable& statement) {
  v1::CatalogObject object;
  object.set_kind(v1::OBJECT_KIND_SOURCE);
  OptionMap options = statement.options;
  object.set_connector(options.at("connector"));
  MR_ASSIGN_OR_RETURN(const ConnectorKind kind, ParseConnectorName(object.connector()));
  MR_RETURN_IF_ERROR(ResolvePath(parts_.path_policy, context_.working_directory, options));
  Schema columns = statement.columns;
  if (!statement.has_columns && kind == ConnectorKind::kFile) {
    MR_ASSIGN_OR_RETURN(columns,
                        InferColumns(parts_.path_policy, options, MissingFiles::kGiveNoColumns));
  }
  MR_RETURN_IF_ERROR(ValidateDefinition(options, columns));
  if (kind == ConnectorKind::kKafka) {
    MR_ASSIGN_OR_RETURN(const KafkaOptions kafka, ParseKafkaOptions(options, columns));
    MR_RETURN_IF_ERROR(CheckTopic(kafka, parts_.addresses));
  }
  for (const Field& column : columns) ToProto(column, object.add_columns());
  object.mutable_options()->insert(options.begin(), options.end());
  if (statement.watermark_column.has_value()) {
    const auto column = std::find_if(columns.begin(), columns.end(), [&](const Field& field) {
      return field.name == *statement.watermark_column;
    });
    if (column == columns.end()) {
      return MakeError(SqlState::kUndefinedColumn,
                       absl::StrCat("column \"", *statement.watermark_column,
                                    "\" of the watermark does not exist"));
    }
    object.mutable_watermark()->set_time_column(static_cast<uint32_t>(column - columns.begin()));
    object.mutable_watermark()->set_delay_micros(statement.watermark_delay_micros);
  }
  MR_RETURN_IF_ERROR(CheckLateInto(object));
  return object;
}

absl::StatusOr<StatementResult> DefinitionStatements::CreateTable(
    const BoundCreateTable& statement) {
  // The planner would rely on a key that nobody keeps unique.
  if (!statement.primary_key.empty()) {
    return WithPosition(WithHint(NotSupported("PRIMARY KEY"), "leave it out; NOT NULL is checked"),
                        statement.name_position);
  }
  v1::CatalogObject object;
  if (statement.options.contains("connector")) {
    absl::StatusOr<v1::CatalogObject> outside = OutsideTable(statement);
    if (!outside.ok()) return WithPosition(outside.status(), statement.options_position);
    object = *std::move(outside);
  } else if (!statement.options.empty()) {
    return WithPosition(
        MakeError(SqlState::kInvalidParameterValue, "the option connector is missing",
                  "outside data needs WITH (connector = 'file', …); a stored "
                  "table takes no options"),
        statement.options_position);
  } else {
    object.set_kind(v1::OBJECT_KIND_TABLE);
    for (const Field& column : statement.columns) ToProto(column, object.add_columns());
    for (const auto& [column, expr] : statement.defaults) {
      ToProto(*expr, &(*object.mutable_column_defaults())[static_cast<uint32_t>(column)]);
    }
  }
  object.set_name(statement.name);
  object.set_state(v1::OBJECT_STATE_READY);
  for (int column : statement.not_null_columns) object.add_not_null_columns(column);
  for (int column : statement.primary_key) object.add_primary_key(column);
  StatementResult result = Done("CREATE TABLE");
  const bool keeps_late_rows = LateInto(object).has_value();
  Catalog::Extra also;
  if (keeps_late_rows) {
    // Not complete without the relation, which has a job.
    MR_ASSIGN_OR_RETURN(const uint64_t job_id, parts_.job_ids.Next());
    object.set_job_id(job_id);
    object.set_state(v1::OBJECT_STATE_CREATING);
  } else {
    also = RecordOf(context_, result);
  }
  absl::StatusOr<CatalogObjectPtr> created =
      CreateObject(parts_.catalog, std::move(object), statement.if_not_exists, context_.sink, also);
  if (!created.ok()) return WithPosition(created.status(), statement.name_position);
  if (*created != nullptr && keeps_late_rows) {
    const absl::Status kept = CreateLateRowsView(*created, parts_, context_, moment_,
                                                 [&] { return RecordOf(context_, result); });
    if (!kept.ok()) {
      const absl::Status undone = parts_.catalog.Remove({(*created)->id()});
      if (!undone.ok()) LogError("catalog", "cannot undo CREATE TABLE", undone);
      return WithPosition(kept, statement.options_position);
    }
  }
  return result;
}

absl::StatusOr<StatementResult> DefinitionStatements::CreateView(const BoundCreateView& statement) {
  v1::CatalogObject object;
  object.set_name(statement.name);
  object.set_kind(v1::OBJECT_KIND_VIEW);
  object.set_state(v1::OBJECT_STATE_READY);
  object.set_query(statement.query);
  for (const Field& column : statement.plan->output) ToProto(column, object.add_columns());
  for (uint64_t id : statement.depends_on) object.add_depends_on(id);
  StatementResult result = Done("CREATE VIEW");
  const CatalogObjectPtr existing = moment_.catalog->Find(statement.name);
  if (statement.or_replace && existing != nullptr && existing->kind() == v1::OBJECT_KIND_VIEW) {
    MR_RETURN_IF_ERROR(parts_.catalog.Update(
        existing->id(),
        [&object](v1::CatalogObject& record) {
          record.set_query(object.query());
          *record.mutable_columns() = object.columns();
          *record.mutable_depends_on() = object.depends_on();
        },
        RecordOf(context_, result)));
    return result;
  }
  absl::StatusOr<CatalogObjectPtr> created =
      CreateObject(parts_.catalog, std::move(object), statement.if_not_exists, context_.sink,
                   RecordOf(context_, result));
  if (!created.ok()) return WithPosition(created.status(), statement.name_position);
  return result;
}

absl::StatusOr<std::vector<uint64_t>> DefinitionStatements::ResolveDrop(
    const BoundDrop& statement) {
  std::vector<uint64_t> ids;
  for (const std::string& name : statement.names) {
    const CatalogObjectPtr object = moment_.catalog->Find(name);
    const std::string kind = ClassName(statement.object_class);
    if (object == nullptr) {
      if (!statement.if_exists) {
        return WithPosition(MakeError(SqlState::kUndefinedTable,
                                      absl::StrCat(kind, " \"", name, "\" does not exist")),
                            statement.name_position);
      }
      MR_RETURN_IF_ERROR(
          context_.sink.Notice(absl::StrCat(kind, " \"", name, "\" does not exist, skipping"), ""));
      continue;
    }
    if (object->connector() == kSystemConnector) {
      return MakeError(SqlState::kInsufficientPrivilege, absl::StrCat(name, " is a system view"));
    }
    if (!IsOfClass(*object, statement.object_class)) {
      const std::string what = DescribeObject(*object);
      return WithPosition(
          MakeError(SqlState::kWrongObjectType, absl::StrCat("\"", name, "\" is not a ", kind),
                    absl::StrCat("it is the ", what, "; use the DROP of its kind")),
          statement.name_position);
    }
    ids.push_back(object->id());
    if (const auto late = LateRowsView(*object, *moment_.catalog)) ids.push_back(late->id());
  }
  return ids;
}

// A streaming INSERT depends on its sink and sources without being in the catalog.
absl::Status DefinitionStatements::CheckNotWritten(const std::vector<CatalogObjectPtr>& objects) {
  for (const v1::JobRecord& record : parts_.job_store.List()) {
    if (!record.streaming() || !IsLive(record)) continue;
    for (const CatalogObjectPtr& object : objects) {
      if (object->job_id() == record.id()) continue;
      if (std::count(record.object_ids().begin(), record.object_ids().end(), object->id()) == 0) {
        continue;
      }
      return MakeError(SqlState::kObjectInUse,
                       absl::StrCat("cannot drop ", DescribeObject(*object), " because job ",
                                    record.name(), " uses it"),
                       "stop the job first");
    }
  }
  return absl::OkStatus();
}

// Views of one job are dropped together, with the job.
absl::StatusOr<std::vector<CatalogObjectPtr>> DefinitionStatements::WithTheirJobs(
    std::vector<uint64_t> ids, DropBehavior behavior) {
  while (true) {
    MR_ASSIGN_OR_RETURN(std::vector<CatalogObjectPtr> objects,
                        PlanDrop(*moment_.catalog, ids, behavior));
    std::set<uint64_t> planned;
    for (const CatalogObjectPtr& object : objects) planned.insert(object->id());
    const size_t named = ids.size();
    for (const CatalogObjectPtr& object : objects) {
      if (object->kind() != v1::OBJECT_KIND_MATERIALIZED_VIEW) continue;
      std::vector<CatalogObjectPtr> others = moment_.catalog->List(object->kind());
      std::erase_if(others, [&](const CatalogObjectPtr& other) {
        return other->job_id() != object->job_id() || planned.contains(other->id());
      });
      if (behavior == DropBehavior::kRestrict) {
        MR_RETURN_IF_ERROR(CheckDroppedAlone(*object, others));
      }
      for (const CatalogObjectPtr& other : others) {
        if (planned.insert(other->id()).second) ids.push_back(other->id());
      }
    }
    if (ids.size() == named) return objects;
  }
}

// `others`: what else the view's job keeps and is not dropped with it.
absl::Status DefinitionStatements::CheckDroppedAlone(const v1::CatalogObject& view,
                                                     const std::vector<CatalogObjectPtr>& others) {
  std::vector<std::string> kept;
  for (const CatalogObjectPtr& other : others) kept.push_back(DescribeObject(*other));
  const std::optional<v1::JobRecord> record = parts_.job_store.Get(view.job_id());
  const std::optional<StreamView> stream = parts_.streams.View(view.job_id());
  if (record.has_value() && IsLive(*record) && stream.has_value()) {
    for (const uint64_t id : FileSinksOf(*stream->plan)) {
      const CatalogObjectPtr sink = moment_.catalog->FindById(id);
      if (sink != nullptr) kept.push_back(absl::StrCat("the INSERT into ", sink->name()));
    }
  }
  if (kept.empty()) return absl::OkStatus();
  return MakeError(SqlState::kDependentObjects,
                   absl::StrCat("cannot drop ", DescribeObject(view),
                                " alone, because it is one job with ", absl::StrJoin(kept, ", ")),
                   "drop the job's views together, or use DROP ... CASCADE, which ends the job");
}

absl::Status DefinitionStatements::RemoveOutside(const v1::CatalogObject& object) {
  if (object.kind() == v1::OBJECT_KIND_MATERIALIZED_VIEW) {
    return parts_.streams.Drop(object.job_id());
  }
  return absl::OkStatus();
}

absl::StatusOr<StatementResult> DefinitionStatements::Drop(const BoundDrop& statement) {
  MR_ASSIGN_OR_RETURN(const std::vector<uint64_t> ids, ResolveDrop(statement));
  MR_ASSIGN_OR_RETURN(
      const std::vector<CatalogObjectPtr> objects,
      WithTheirJobs(ids, statement.cascade ? DropBehavior::kCascade : DropBehavior::kRestrict));
  MR_RETURN_IF_ERROR(CheckNotWritten(objects));
  StatementResult result = Done(DropTag(statement.object_class));
  std::vector<uint64_t> dropped;
  for (const CatalogObjectPtr& object : objects) dropped.push_back(object->id());
  if (!dropped.empty()) {
    MR_RETURN_IF_ERROR(parts_.catalog.BeginDrop(dropped, RecordOf(context_, result)));
    for (const CatalogObjectPtr& object : objects) {
      const absl::Status removed = RemoveOutside(*object);
      // The object is gone for users; what is left on the disk goes at the next start.
      if (!removed.ok()) LogError("catalog", "cannot remove what an object has stored", removed);
    }
    MR_RETURN_IF_ERROR(parts_.catalog.Remove(dropped));
    for (const CatalogObjectPtr& object : objects) {
      // Statements that began before still read its segments.
      if (object->kind() == v1::OBJECT_KIND_TABLE && parts_.upkeep != nullptr) {
        parts_.upkeep->OnDropped(object->id());
      }
    }
  }
  return result;
}

}  // namespace millrace
