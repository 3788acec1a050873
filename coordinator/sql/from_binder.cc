#include "coordinator/sql/from_binder.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "common/connector_spec/file_options.h"
#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/foreign_words.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/query_binder.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// "data/orders.parquet" is called orders.
std::string NameOfFile(absl::string_view path) {
  const size_t slash = path.rfind('/');
  absl::string_view name = slash == absl::string_view::npos ? path : path.substr(slash + 1);
  const size_t dot = name.find('.');
  if (dot != absl::string_view::npos && dot > 0) name = name.substr(0, dot);
  return std::string(name);
}

}  // namespace

Scope ScopeOf(const LogicalNode& plan, absl::string_view name) {
  ScopeItem item;
  item.name = std::string(name);
  item.name_visible = !name.empty();
  for (size_t i = 0; i < plan.output.size(); ++i) {
    item.columns.push_back(
        {plan.output[i].name, MakeColumn(static_cast<int>(i), plan.output[i].type)});
  }
  Scope scope;
  scope.Add(std::move(item));
  return scope;
}

absl::StatusOr<FromPlan> FromBinder::BindList(PgQuery__Node* const* items, size_t count) {
  FromPlan from;
  from.plan = NewOneRow();
  for (size_t i = 0; i < count; ++i) {
    MR_ASSIGN_OR_RETURN(FromPlan next, BindItem(*items[i]));
    if (i == 0) {
      from = std::move(next);
      continue;
    }
    const int32_t position = environment_.PositionOf(LocationOf(items[i]));
    MR_RETURN_IF_ERROR(
        from.scope.Append(next.scope, static_cast<int>(from.plan->output.size()), position));
    from.plan = NewJoin(JoinType::kInner, std::move(from.plan), std::move(next.plan), nullptr);
    MR_RETURN_IF_ERROR(CountOperator(environment_.session, from.plan->output.size(), position));
  }
  return from;
}

absl::StatusOr<FromPlan> FromBinder::BindItem(const PgQuery__Node& item) {
  const int32_t location = LocationOf(&item);
  const int32_t position = environment_.PositionOf(location);
  DepthGuard guard(environment_.session);
  MR_RETURN_IF_ERROR(WithPosition(guard.Check(), position));
  MR_RETURN_IF_ERROR(CountOperator(environment_.session, 0, position));
  switch (item.node_case) {
    case PG_QUERY__NODE__NODE_RANGE_VAR: {
      MR_ASSIGN_OR_RETURN(FromPlan from, BindRelation(*item.range_var));
      return ApplyAlias(std::move(from), item.range_var->alias, location);
    }
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
      return BindSubselect(*item.range_subselect);
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
      return BindFunction(*item.range_function);
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
      return BindJoin(*item.join_expr);
    case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
      return WithPosition(NotSupported("TABLESAMPLE"), position);
    default:
      return WithPosition(NotSupported("this kind of item in FROM"), position);
  }
}

absl::StatusOr<CatalogObjectPtr> FromBinder::FindObject(const PgQuery__RangeVar& name) const {
  const int32_t position = environment_.PositionOf(name.location);
  const std::string schema = name.schemaname;
  std::string full = name.relname;
  if (name.catalogname[0] != '\0') {
    return WithPosition(NotSupported("a reference to another database"), position);
  }
  if (!schema.empty() && schema != "public") full = absl::StrCat(schema, ".", full);
  CatalogObjectPtr object = environment_.session.catalog.Find(full);
  if (object != nullptr) return object;
  const std::string nearest = environment_.session.catalog.NearestName(full);
  const std::string hint =
      nearest.empty() ? "" : absl::StrCat("Perhaps you meant \"", nearest, "\".");
  return WithPosition(MakeError(SqlState::kUndefinedTable,
                                absl::StrCat("relation \"", full, "\" does not exist"), hint),
                      position);
}

absl::StatusOr<FromPlan> FromBinder::BindRelation(const PgQuery__RangeVar& name) {
  const int32_t position = environment_.PositionOf(name.location);
  const auto& files = environment_.statement.prepass().files;
  const auto file = files.find(name.location);
  if (file != files.end()) return BindFile(file->second, position);
  if (name.schemaname[0] != '\0' || environment_.with == nullptr) return BindTable(name);
  const WithQuery* query = environment_.with->Find(name.relname);
  if (query == nullptr) return BindTable(name);
  if (environment_.statement.prepass().epochs.contains(name.location)) {
    return WithPosition(
        MakeError(SqlState::kWrongObjectType, "AS OF EPOCH needs the name of a materialized view"),
        position);
  }
  MR_RETURN_IF_ERROR(CountSharedPlan(environment_.session, query->num_nodes, position));
  FromPlan from;
  from.plan = query->plan;
  from.scope = ScopeOf(*from.plan, name.relname);
  return from;
}

absl::StatusOr<FromPlan> FromBinder::BindTable(const PgQuery__RangeVar& name) {
  const int32_t position = environment_.PositionOf(name.location);
  MR_ASSIGN_OR_RETURN(CatalogObjectPtr object, FindObject(name));
  // System views are always there: nothing can depend on them.
  if (object->connector() != kSystemConnector) {
    environment_.session.named_objects.insert(object->id());
  }
  std::optional<uint64_t> epoch;
  const auto& epochs = environment_.statement.prepass().epochs;
  const auto asked = epochs.find(name.location);
  if (asked != epochs.end()) {
    if (object->kind() != v1::OBJECT_KIND_MATERIALIZED_VIEW) {
      return WithPosition(
          MakeError(SqlState::kWrongObjectType,
                    absl::StrCat("\"", object->name(), "\" is not a materialized view"),
                    "Only materialized views keep older epochs."),
          position);
    }
    epoch = asked->second;
    environment_.session.used_epochs.insert(asked->first);
  }
  FromPlan from;
  if (object->kind() == v1::OBJECT_KIND_VIEW) {
    MR_ASSIGN_OR_RETURN(from, BindView(object, position));
  } else {
    from.plan = NewScan(object, epoch, position);
  }
  from.scope = ScopeOf(*from.plan, name.relname);
  from.scope.items()[0].table = std::move(object);
  return from;
}

absl::StatusOr<FromPlan> FromBinder::BindFile(const std::string& path, int32_t position) {
  if (path.empty()) {
    return WithPosition(
        MakeError(SqlState::kInvalidParameterValue, "the path of the file is empty"), position);
  }
  if (!environment_.session.context.infer_file) {
    return WithPosition(NotSupported("a file in FROM at this place"), position);
  }
  FileFormat format = FileFormat::kCsv;
  const std::string format_name =
      FileFormatOfName(path, &format) ? std::string(FileFormatName(format)) : "";
  absl::StatusOr<CatalogObjectPtr> object =
      environment_.session.context.infer_file(path, format_name);
  if (!object.ok()) return WithPosition(object.status(), position);
  FromPlan from;
  from.plan = NewScan(*std::move(object), std::nullopt, position);
  from.scope = ScopeOf(*from.plan, NameOfFile(path));
  return from;
}

absl::StatusOr<FromPlan> FromBinder::BindView(const CatalogObjectPtr& view, int32_t position) {
  absl::StatusOr<std::unique_ptr<ParsedStatement>> parsed = ParsedStatement::Parse(view->query());
  const std::string context = absl::StrCat("view \"", view->name(), "\"");
  if (!parsed.ok()) return WithPosition(WithContext(parsed.status(), context), position);
  if ((*parsed)->root() == nullptr) return InternalError(absl::StrCat(context, " has no query"));
  (*parsed)->FixPosition(position);
  const ParsedStatement& statement = **parsed;
  const QueryEnvironment inner{environment_.session, statement};
  absl::StatusOr<LogicalPtr> plan = BindQueryNode(*statement.root(), inner);
  if (!plan.ok()) return WithPosition(WithContext(plan.status(), context), position);
  MR_ASSIGN_OR_RETURN(LogicalPtr resolved, ResolveUnknownColumns(*std::move(plan)));
  MR_RETURN_IF_ERROR(CountSharedPlan(environment_.session, NumNodes(*resolved), position));
  if (resolved->output.size() != static_cast<size_t>(view->columns_size())) {
    return WithPosition(
        MakeError(SqlState::kObjectNotInPrerequisiteState,
                  absl::StrCat(context, " has ", view->columns_size(),
                               " columns, but its query now gives ", resolved->output.size()),
                  "Create the view again."),
        position);
  }
  std::vector<std::string> names;
  for (const v1::Field& field : view->columns()) names.push_back(field.name());
  FromPlan from;
  from.plan = WithNames(resolved, names);
  return from;
}

absl::StatusOr<FromPlan> FromBinder::BindSubselect(const PgQuery__RangeSubselect& subselect) {
  const int32_t location = LocationOf(subselect.subquery);
  if (subselect.lateral) {
    return WithPosition(NotSupported("LATERAL"), environment_.PositionOf(location));
  }
  MR_ASSIGN_OR_RETURN(FromPlan from, BindSubquery(*subselect.subquery));
  return ApplyAlias(std::move(from), subselect.alias, location);
}

absl::StatusOr<FromPlan> FromBinder::BindSubquery(const PgQuery__Node& query) {
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindQueryNode(query, environment_));
  FromPlan from;
  MR_ASSIGN_OR_RETURN(from.plan, ResolveUnknownColumns(std::move(plan)));
  from.scope = ScopeOf(*from.plan, "");
  return from;
}

absl::Status FromBinder::CheckAliasWord(absl::string_view alias, int32_t location) const {
  const ForeignWord* word = FindForeignWord(alias);
  if (word == nullptr) return absl::OkStatus();
  const int32_t from = std::max(location, 0);
  // Quoted, it is a name like any other; with AS too, but for AS OF.
  const int32_t at = alias == "of" ? environment_.statement.FindWord(alias, from)
                                   : environment_.statement.FindBareAlias(alias, from);
  if (at < 0) return absl::OkStatus();
  return WithPosition(WithHint(NotSupported(word->feature), word->hint),
                      environment_.PositionOf(at));
}

absl::StatusOr<FromPlan> FromBinder::ApplyAlias(FromPlan from, const PgQuery__Alias* alias,
                                                int32_t location) {
  if (alias == nullptr) return from;
  MR_RETURN_IF_ERROR(CheckAliasWord(alias->aliasname, location));
  ScopeItem& item = from.scope.items()[0];
  item.name = alias->aliasname;
  item.name_visible = true;
  const std::vector<std::string> names = StringsOf(Nodes(alias->n_colnames, alias->colnames));
  if (names.size() > item.columns.size()) {
    return WithPosition(
        MakeError(SqlState::kInvalidColumnReference,
                  absl::StrCat("table \"", item.name, "\" has ", item.columns.size(),
                               " columns available but ", names.size(), " columns specified")),
        environment_.PositionOf(location));
  }
  for (size_t i = 0; i < names.size(); ++i) item.columns[i].name = names[i];
  return from;
}

}  // namespace millrace
