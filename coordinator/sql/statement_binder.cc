#include "coordinator/sql/statement_binder.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/query_binder.h"
#include "coordinator/sql/statement_limits.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

template <typename Bound>
absl::StatusOr<BoundStatement> Wrap(absl::StatusOr<Bound> bound) {
  if (!bound.ok()) return bound.status();
  return BoundStatement{*std::move(bound)};
}

// "UPDATE", "CREATE INDEX": the first word or two of a statement that is refused.
std::string FirstWords(const ParsedStatement& statement) {
  const std::vector<SqlToken>& tokens = statement.prepass().tokens;
  std::string words = absl::AsciiStrToUpper(tokens[0].text);
  static constexpr const char* kTwoWords[] = {"create", "alter", "drop", "refresh", "set"};
  for (const char* word : kTwoWords) {
    if (tokens[0].IsWord(word) && tokens.size() > 1 && tokens[1].kind == TokenKind::kWord) {
      absl::StrAppend(&words, " ", absl::AsciiStrToUpper(tokens[1].text));
      if (tokens[1].IsWord("materialized")) absl::StrAppend(&words, " VIEW");
    }
  }
  return words;
}

// A scan of files of which not even the columns are known; null if there is none.
const LogicalScan* ScanWithoutColumns(const LogicalNode& plan) {
  if (plan.kind == LogicalKind::kScan) {
    const auto& scan = static_cast<const LogicalScan&>(plan);
    return scan.object->columns().empty() ? &scan : nullptr;
  }
  for (const LogicalPtr& input : plan.inputs) {
    if (const LogicalScan* scan = ScanWithoutColumns(*input); scan != nullptr) return scan;
  }
  return nullptr;
}

}  // namespace

absl::Status StatementBinder::Refuse(absl::string_view what, int32_t location) const {
  return WithPosition(NotSupported(what), PositionOf(location));
}

absl::StatusOr<BoundStatement> StatementBinder::Bind() {
  if (statement_.prepass().head == StatementHead::kFlush) return BoundStatement{BoundFlush{}};
  MR_ASSIGN_OR_RETURN(BoundStatement bound, BindRoot(*statement_.root()));
  MR_RETURN_IF_ERROR(CheckPrepass(bound));
  return bound;
}

// What the pre-pass took out must have found its meaning.
absl::Status StatementBinder::CheckPrepass(const BoundStatement& bound) const {
  const Prepass& prepass = statement_.prepass();
  if (prepass.emit_begin.has_value()) {
    const auto* view = std::get_if<BoundCreateView>(&bound.statement);
    const bool takes_emit = (view != nullptr && view->materialized) ||
                            std::holds_alternative<BoundInsert>(bound.statement);
    if (!takes_emit) {
      return WithPosition(
          MakeError(SqlState::kSyntaxError, "EMIT ON WINDOW CLOSE is not allowed here",
                    "It stands at the end of CREATE MATERIALIZED VIEW and of INSERT."),
          PositionOf(*prepass.emit_begin));
    }
  }
  if (prepass.watermark.has_value() && !std::holds_alternative<BoundCreateTable>(bound.statement)) {
    return WithPosition(MakeError(SqlState::kSyntaxError, "WATERMARK FOR is not allowed here"),
                        PositionOf(prepass.watermark->column_begin));
  }
  for (const auto& [location, epoch] : prepass.epochs) {
    if (session_.used_epochs.contains(location)) continue;
    return WithPosition(
        MakeError(SqlState::kSyntaxError, "AS OF EPOCH is not allowed here",
                  "It stands behind the name of a materialized view in FROM, before the alias."),
        PositionOf(location));
  }
  return absl::OkStatus();
}

absl::StatusOr<BoundStatement> StatementBinder::BindRoot(const PgQuery__Node& root) {
  const bool source = statement_.prepass().head == StatementHead::kSource;
  const bool fits_source = root.node_case == PG_QUERY__NODE__NODE_CREATE_STMT ||
                           root.node_case == PG_QUERY__NODE__NODE_DROP_STMT;
  if (source && !fits_source) return Refuse("CREATE SOURCE … AS", 0);
  switch (root.node_case) {
    case PG_QUERY__NODE__NODE_SELECT_STMT:
      if (statement_.prepass().head == StatementHead::kDescribe) {
        return Wrap(BindDescribe(*root.select_stmt));
      }
      if (statement_.prepass().head == StatementHead::kSubscribe) {
        return Wrap(BindSubscribe(*root.select_stmt));
      }
      return Wrap(BindSelectStatement(*root.select_stmt));
    case PG_QUERY__NODE__NODE_CREATE_STMT:
      return Wrap(BindCreateTable(*root.create_stmt));
    case PG_QUERY__NODE__NODE_VIEW_STMT:
      return Wrap(BindCreateView(*root.view_stmt));
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
      if (root.create_table_as_stmt->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW) {
        return Wrap(BindMaterializedView(*root.create_table_as_stmt));
      }
      return Wrap(BindCreateTableAs(*root.create_table_as_stmt));
    case PG_QUERY__NODE__NODE_INSERT_STMT:
      return Wrap(BindInsert(*root.insert_stmt));
    case PG_QUERY__NODE__NODE_COPY_STMT:
      if (root.copy_stmt->is_from) return Wrap(BindCopyFrom(*root.copy_stmt));
      return Wrap(BindCopyTo(*root.copy_stmt));
    default:
      return BindUtility(root);
  }
}

absl::StatusOr<BoundStatement> StatementBinder::BindUtility(const PgQuery__Node& root) {
  switch (root.node_case) {
    case PG_QUERY__NODE__NODE_DROP_STMT:
      return Wrap(BindDrop(*root.drop_stmt));
    case PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT:
      return Wrap(BindShow(*root.variable_show_stmt));
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
      return Wrap(BindSet(*root.variable_set_stmt));
    case PG_QUERY__NODE__NODE_CALL_STMT:
      return Wrap(BindCall(*root.call_stmt));
    default:
      return Refuse(FirstWords(statement_), statement_.prepass().tokens[0].begin);
  }
}

absl::StatusOr<LogicalPtr> StatementBinder::BindWholeQuery(const PgQuery__Node& query) {
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindQueryNode(query, environment_));
  MR_ASSIGN_OR_RETURN(plan, ResolveUnknownColumns(std::move(plan)));
  if (plan->output.empty()) {
    if (const LogicalScan* scan = ScanWithoutColumns(*plan); scan != nullptr) {
      return WithPosition(
          MakeError(SqlState::kObjectNotInPrerequisiteState,
                    absl::StrCat("nothing tells the columns of \"", scan->object->name(),
                                 "\": there is no header and no row"),
                    "define a table with columns: CREATE TABLE t (name type, …) WITH (…)"),
          scan->position);
    }
    return Refuse("a query without columns", statement_.prepass().tokens[0].begin);
  }
  return plan;
}

absl::StatusOr<BoundSelect> StatementBinder::BindSelectStatement(
    const PgQuery__SelectStmt& select) {
  PgQuery__Node node;
  pg_query__node__init(&node);
  node.node_case = PG_QUERY__NODE__NODE_SELECT_STMT;
  node.select_stmt = const_cast<PgQuery__SelectStmt*>(&select);
  BoundSelect bound;
  MR_ASSIGN_OR_RETURN(bound.plan, BindWholeQuery(node));
  return bound;
}

absl::StatusOr<std::string> StatementBinder::NewObjectName(const PgQuery__RangeVar& name,
                                                           bool may_exist) const {
  const int32_t position = PositionOf(name.location);
  if (name.catalogname[0] != '\0') {
    return WithPosition(NotSupported("a reference to another database"), position);
  }
  const std::string schema = name.schemaname;
  if (schema == "millrace") {
    return WithPosition(MakeError(SqlState::kInsufficientPrivilege,
                                  "schema \"millrace\" is reserved for system views"),
                        position);
  }
  if (!schema.empty() && schema != "public") {
    return WithPosition(MakeError(SqlState::kUndefinedObject,
                                  absl::StrCat("schema \"", schema, "\" does not exist"),
                                  "All objects are in one schema, public."),
                        position);
  }
  if (name.relpersistence[0] == 't') {
    return WithPosition(NotSupported("a temporary object"), position);
  }
  if (name.relpersistence[0] == 'u') return WithPosition(NotSupported("UNLOGGED"), position);
  if (!may_exist && session_.catalog.Find(name.relname) != nullptr) {
    return WithPosition(MakeError(SqlState::kDuplicateTable,
                                  absl::StrCat("relation \"", name.relname, "\" already exists")),
                        position);
  }
  return std::string(name.relname);
}

absl::StatusOr<LogicalPtr> StatementBinder::WithColumnNames(LogicalPtr plan,
                                                            PgQuery__Node* const* names,
                                                            size_t count, int32_t position) const {
  if (count > plan->output.size()) {
    return WithPosition(MakeError(SqlState::kSyntaxError, "too many column names were specified"),
                        position);
  }
  std::vector<std::string> all;
  for (const Field& field : plan->output) all.push_back(field.name);
  for (size_t i = 0; i < count; ++i) all[i] = std::string(StringOf(names[i]));
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (all[i] != all[j]) continue;
      return WithPosition(
          MakeError(SqlState::kDuplicateColumn,
                    absl::StrCat("column \"", all[i], "\" specified more than once")),
          position);
    }
  }
  return count == 0 ? plan : WithNames(plan, all);
}

absl::StatusOr<BoundOptions> StatementBinder::ReadOptions(PgQuery__Node* const* options,
                                                          size_t count) const {
  BoundOptions bound;
  const auto& keys = statement_.prepass().option_keys;
  for (size_t i = 0; i < count; ++i) {
    const PgQuery__DefElem& option = *options[i]->def_elem;
    const int32_t position = PositionOf(option.location);
    std::string key = option.defname;
    if (option.defnamespace[0] != '\0') key = absl::StrCat(option.defnamespace, ".", key);
    const auto original = keys.find(option.location);
    if (original != keys.end()) key = original->second;
    std::optional<std::string> value = "true";
    if (option.arg != nullptr) value = OptionText(*option.arg);
    if (!value.has_value()) {
      return WithPosition(MakeError(SqlState::kSyntaxError,
                                    absl::StrCat("option \"", key, "\" takes one constant")),
                          position);
    }
    if (i == 0) bound.position = position;
    if (!bound.values.emplace(key, *std::move(value)).second) {
      return WithPosition(MakeError(SqlState::kSyntaxError,
                                    absl::StrCat("option \"", key, "\" specified more than once")),
                          position);
    }
    bound.positions[key] = position;
  }
  return bound;
}

std::string StatementBinder::QueryText() const {
  const std::vector<SqlToken>& tokens = statement_.prepass().tokens;
  int depth = 0;
  size_t first = 0;
  for (size_t i = 0; i < tokens.size() && first == 0; ++i) {
    if (tokens[i].IsSymbol("(")) ++depth;
    if (tokens[i].IsSymbol(")")) --depth;
    if (depth == 0 && tokens[i].IsWord("as")) first = i + 1;
  }
  size_t end = tokens.size();
  constexpr size_t kEmitWords = 4;
  if (statement_.prepass().emit_begin.has_value()) end -= kEmitWords;
  if (end >= 2 && tokens[end - 1].IsWord("data") && tokens[end - 2].IsWord("with")) end -= 2;
  if (first == 0 || first >= end) return "";
  return std::string(
      statement_.text().substr(tokens[first].begin, tokens[end - 1].end - tokens[first].begin));
}

}  // namespace millrace
