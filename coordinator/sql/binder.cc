#include "coordinator/sql/binder.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/parsed_statement.h"
#include "coordinator/sql/query_binder.h"
#include "coordinator/sql/statement_binder.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// What EXPLAIN can show a plan of.
bool HasPlan(const BoundStatement& bound) {
  if (const auto* view = std::get_if<BoundCreateView>(&bound.statement)) return view->materialized;
  return std::holds_alternative<BoundSelect>(bound.statement) ||
         std::holds_alternative<BoundCreateTableAs>(bound.statement) ||
         std::holds_alternative<BoundInsert>(bound.statement) ||
         std::holds_alternative<BoundCopyTo>(bound.statement);
}

}  // namespace

absl::StatusOr<BoundStatement> BindStatement(absl::string_view sql, const CatalogSnapshot& catalog,
                                             const BindContext& context) {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<ParsedStatement> statement,
                      ParsedStatement::Parse(sql));
  BindSession session{catalog, context};
  MR_ASSIGN_OR_RETURN(BoundStatement bound, StatementBinder(session, *statement).Bind());
  const Prepass& prepass = statement->prepass();
  if (!prepass.explain) return bound;
  if (!HasPlan(bound)) {
    return WithPosition(
        WithHint(NotSupported("EXPLAIN of this statement"),
                 "EXPLAIN shows the plans of SELECT, INSERT, CREATE TABLE AS, CREATE MATERIALIZED "
                 "VIEW and COPY TO."),
        statement->PositionOf(0));
  }
  if (prepass.analyze && !std::holds_alternative<BoundSelect>(bound.statement)) {
    // Where EXPLAIN stood is blank now.
    const auto begin = static_cast<int32_t>(prepass.text.find_first_not_of(" \t\r\n"));
    return WithPosition(NotSupported("EXPLAIN ANALYZE of a statement that is no SELECT"),
                        statement->PositionOf(begin));
  }
  BoundExplain explain;
  explain.analyze = prepass.analyze;
  explain.json = prepass.json;
  explain.statement = std::make_shared<BoundStatement>(std::move(bound));
  return BoundStatement{std::move(explain)};
}

absl::StatusOr<LogicalPtr> BindStoredQuery(const v1::CatalogObject& view,
                                           const CatalogSnapshot& catalog,
                                           const BindContext& context) {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<ParsedStatement> statement,
                      ParsedStatement::Parse(view.query()));
  if (statement->root() == nullptr) return InternalError("a view without a query");
  BindSession session{catalog, context};
  const QueryEnvironment environment{session, *statement};
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindQueryNode(*statement->root(), environment));
  MR_ASSIGN_OR_RETURN(plan, ResolveUnknownColumns(std::move(plan)));
  if (plan->output.size() != static_cast<size_t>(view.columns_size())) {
    return MakeError(SqlState::kObjectNotInPrerequisiteState,
                     absl::StrCat("view \"", view.name(), "\" has ", view.columns_size(),
                                  " columns, but its query now gives ", plan->output.size()));
  }
  std::vector<std::string> names;
  for (const v1::Field& field : view.columns()) names.push_back(field.name());
  return WithNames(plan, names);
}

}  // namespace millrace
