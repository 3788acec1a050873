#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/connector_spec/file_options.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/cast_output.h"
#include "coordinator/sql/from_binder.h"
#include "coordinator/sql/not_null_check.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/query_binder.h"
#include "coordinator/sql/statement_binder.h"
#include "coordinator/sql/values_binder.h"
#include "millrace/v1/catalog.pb.h"

// The members of StatementBinder for COPY.

namespace millrace {
namespace {

// The position of the path, which has none in the parse tree: the statement's first text constant.
int32_t PathPosition(const ParsedStatement& statement) {
  for (const SqlToken& token : statement.prepass().tokens) {
    if (token.kind == TokenKind::kString) return statement.PositionOf(token.begin);
  }
  return 0;
}

// Sets options["format"]: as written, or as the file's name tells.
absl::Status CompleteFormat(const std::string& path, int32_t path_position, BoundOptions* options) {
  FileFormat format = FileFormat::kCsv;
  const auto written = options->values.find("format");
  if (written != options->values.end()) {
    if (ParseFileFormat(written->second, &format)) return absl::OkStatus();
    return WithPosition(
        MakeError(SqlState::kInvalidParameterValue,
                  absl::StrCat("COPY format \"", written->second, "\" not recognized"),
                  "It takes csv, json or parquet."),
        options->positions.at("format"));
  }
  if (!FileFormatOfName(path, &format)) {
    return WithPosition(
        MakeError(SqlState::kInvalidParameterValue,
                  absl::StrCat("the name \"", path, "\" does not tell the format of the file"),
                  "Write (FORMAT csv), (FORMAT json) or (FORMAT parquet)."),
        path_position);
  }
  options->values["format"] = std::string(FileFormatName(format));
  return absl::OkStatus();
}

// From PostgreSQL's options to those of files: NULL names the one text that means NULL.
absl::Status CompleteCsvOptions(BoundOptions* options) {
  auto& values = options->values;
  const auto header = values.find("header");
  if (header != values.end() && absl::EqualsIgnoreCase(header->second, "match")) {
    return WithPosition(NotSupported("HEADER MATCH"), options->positions.at("header"));
  }
  const auto null = values.find("null");
  if (null == values.end()) return absl::OkStatus();
  for (const char* name : {"delimiter", "quote"}) {
    const auto character = values.find(name);
    const std::string text =
        character != values.end() ? character->second : (name[0] == 'd' ? "," : "\"");
    if (!absl::StrContains(null->second, text)) continue;
    return WithPosition(
        MakeError(SqlState::kFeatureNotSupported, absl::StrCat("COPY ", name,
                                                               " must not appear in the NULL "
                                                               "specification")),
        options->positions.at("null"));
  }
  if (null->second.find_first_of("\r\n") != std::string::npos) {
    return WithPosition(MakeError(SqlState::kInvalidParameterValue,
                                  "COPY null representation cannot use newline or carriage return"),
                        options->positions.at("null"));
  }
  values["null_only"] = null->second;
  values.erase(null);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BoundCopyTo> StatementBinder::BindCopyTo(const PgQuery__CopyStmt& copy) {
  BoundCopyTo bound;
  if (copy.is_program) return Refuse("COPY … PROGRAM", 0);
  if (copy.filename[0] == '\0') return Refuse("COPY … TO STDOUT", 0);
  bound.path = copy.filename;
  bound.path_position = PathPosition(statement_);
  if (copy.query != nullptr) {
    MR_ASSIGN_OR_RETURN(bound.plan, BindWholeQuery(*copy.query));
  } else {
    MR_ASSIGN_OR_RETURN(FromPlan from, FromBinder(environment_).BindRelation(*copy.relation));
    bound.plan = std::move(from.plan);
    std::vector<ExprPtr> exprs;
    const std::vector<std::string> names = StringsOf(Nodes(copy.n_attlist, copy.attlist));
    for (const std::string& name : names) {
      const int32_t position = PositionOfName(name);
      MR_ASSIGN_OR_RETURN(ExprPtr column, from.scope.Find(name, position));
      if (column == nullptr) return from.scope.UndefinedColumn("", name, position);
      exprs.push_back(std::move(column));
    }
    if (!names.empty()) bound.plan = NewProject(std::move(bound.plan), std::move(exprs), names);
  }
  MR_ASSIGN_OR_RETURN(BoundOptions options, ReadOptions(copy.options, copy.n_options));
  MR_RETURN_IF_ERROR(CompleteFormat(bound.path, bound.path_position, &options));
  if (options.values["format"] == "csv") {
    MR_RETURN_IF_ERROR(CompleteCsvOptions(&options));
    options.values.emplace("header", "false");
  }
  bound.options = std::move(options.values);
  return bound;
}

absl::StatusOr<BoundCopyFrom> StatementBinder::BindCopyFrom(const PgQuery__CopyStmt& copy) {
  if (copy.is_program) return Refuse("COPY … PROGRAM", 0);
  if (copy.filename[0] == '\0') return Refuse("COPY … FROM STDIN", 0);
  if (copy.where_clause != nullptr) {
    return Refuse("COPY … FROM … WHERE", LocationOf(copy.where_clause));
  }
  BoundCopyFrom bound;
  MR_ASSIGN_OR_RETURN(bound.target, WritableTable(*copy.relation));
  const std::string path = copy.filename;
  const int32_t path_position = PathPosition(statement_);
  absl::StatusOr<std::string> resolved = path;
  if (session_.context.resolve_path) resolved = session_.context.resolve_path(path);
  if (!resolved.ok()) return WithPosition(resolved.status(), path_position);
  MR_ASSIGN_OR_RETURN(BoundOptions options, ReadOptions(copy.options, copy.n_options));
  MR_RETURN_IF_ERROR(CompleteFormat(path, path_position, &options));
  if (options.values["format"] == "csv") MR_RETURN_IF_ERROR(CompleteCsvOptions(&options));
  const std::vector<std::string> names = StringsOf(Nodes(copy.n_attlist, copy.attlist));
  std::vector<int32_t> positions;
  for (const std::string& name : names) positions.push_back(PositionOfName(name));
  MR_ASSIGN_OR_RETURN(const std::vector<int> columns,
                      TargetColumns(*bound.target, names, positions));

  // The files are read as a source of their own, whose columns are the target's, by name or in
  // order as the format has it.
  auto source = std::make_shared<v1::CatalogObject>();
  source->set_name(path);
  source->set_kind(v1::OBJECT_KIND_SOURCE);
  source->set_state(v1::OBJECT_STATE_READY);
  source->set_connector("file");
  for (const auto& [key, value] : options.values) (*source->mutable_options())[key] = value;
  (*source->mutable_options())["connector"] = "file";
  (*source->mutable_options())["path"] = *std::move(resolved);
  std::vector<SqlType> types;
  for (const int column : columns) {
    *source->add_columns() = bound.target->columns(column);
    types.push_back(FromProto(bound.target->columns(column).type()));
  }
  LogicalPtr plan = NewScan(std::move(source), std::nullopt, path_position);
  MR_ASSIGN_OR_RETURN(plan, CastOutput(std::move(plan), types, CastContext::kAssignment));
  MR_ASSIGN_OR_RETURN(plan, FillColumns(std::move(plan), *bound.target, columns));
  MR_ASSIGN_OR_RETURN(bound.plan, WithNotNullChecks(std::move(plan), *bound.target,
                                                    PositionOf(copy.relation->location)));
  return bound;
}

}  // namespace millrace
