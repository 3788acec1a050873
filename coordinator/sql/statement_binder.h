#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/sql/parsed_statement.h"
#include "coordinator/sql/query_environment.h"

struct PgQuery__CallStmt;
struct PgQuery__CopyStmt;
struct PgQuery__CreateStmt;
struct PgQuery__CreateTableAsStmt;
struct PgQuery__DropStmt;
struct PgQuery__InsertStmt;
struct PgQuery__Node;
struct PgQuery__RangeVar;
struct PgQuery__SelectStmt;
struct PgQuery__VariableSetStmt;
struct PgQuery__VariableShowStmt;
struct PgQuery__ViewStmt;

namespace millrace {

// Options of a WITH list or of COPY, and where they begin.
struct BoundOptions {
  std::map<std::string, std::string> values;
  std::map<std::string, int32_t> positions;
  int32_t position = 0;
};

// Binds one parsed statement. The members for a kind of statement stand in a file of their own:
// create_table_binder.cc, view_binder.cc, insert_binder.cc, copy_binder.cc, drop_binder.cc,
// session_binder.cc, subscribe_binder.cc, wait_for_binder.cc.
class StatementBinder {
 public:
  StatementBinder(BindSession& session, const ParsedStatement& statement)
      : session_(session), statement_(statement), environment_{session, statement} {}

  // Everything but EXPLAIN, which statements around it.
  absl::StatusOr<BoundStatement> Bind();

 private:
  absl::Status CheckPrepass(const BoundStatement& bound) const;
  absl::StatusOr<BoundStatement> BindRoot(const PgQuery__Node& root);
  absl::StatusOr<BoundStatement> BindUtility(const PgQuery__Node& root);

  absl::StatusOr<BoundSelect> BindSelectStatement(const PgQuery__SelectStmt& select);
  absl::StatusOr<BoundCreateTable> BindCreateTable(const PgQuery__CreateStmt& create);
  absl::StatusOr<BoundCreateView> BindCreateView(const PgQuery__ViewStmt& create);
  absl::StatusOr<BoundCreateView> BindMaterializedView(const PgQuery__CreateTableAsStmt& create);
  absl::StatusOr<BoundCreateTableAs> BindCreateTableAs(const PgQuery__CreateTableAsStmt& create);
  absl::StatusOr<BoundInsert> BindDefaultRow(BoundInsert bound, int32_t location) const;
  absl::StatusOr<BoundInsert> BindInsert(const PgQuery__InsertStmt& insert);
  absl::StatusOr<BoundCopyTo> BindCopyTo(const PgQuery__CopyStmt& copy);
  absl::StatusOr<BoundCopyFrom> BindCopyFrom(const PgQuery__CopyStmt& copy);
  absl::StatusOr<BoundDrop> BindDrop(const PgQuery__DropStmt& drop);
  absl::StatusOr<BoundShow> BindShow(const PgQuery__VariableShowStmt& show);
  absl::StatusOr<BoundSet> BindSet(const PgQuery__VariableSetStmt& set);
  absl::StatusOr<BoundWaitFor> BindCall(const PgQuery__CallStmt& call);
  absl::StatusOr<BoundDescribe> BindDescribe(const PgQuery__SelectStmt& table);
  absl::StatusOr<BoundSubscribe> BindSubscribe(const PgQuery__SelectStmt& table);
  // The object of DESCRIBE and SUBSCRIBE, which read TABLE x; `what` is the statement's word.
  absl::StatusOr<CatalogObjectPtr> OneName(const PgQuery__SelectStmt& table,
                                           absl::string_view what) const;

  // A query whose result is stored or shown: no unknown types.
  absl::StatusOr<LogicalPtr> BindWholeQuery(const PgQuery__Node& query);
  // The name of an object that is to be made. 42P07 if it is there, unless the statement allows
  // that.
  absl::StatusOr<std::string> NewObjectName(const PgQuery__RangeVar& name, bool may_exist) const;
  // A table that rows can be put into.
  absl::StatusOr<CatalogObjectPtr> WritableTable(const PgQuery__RangeVar& name) const;
  // The plan with its columns renamed by a list behind the object's name; names must differ
  // (42701).
  absl::StatusOr<LogicalPtr> WithColumnNames(LogicalPtr plan, PgQuery__Node* const* names,
                                             size_t count, int32_t position) const;
  // Positions among the object's columns of a column list; all columns without one.
  absl::StatusOr<std::vector<int>> TargetColumns(const v1::CatalogObject& table,
                                                 const std::vector<std::string>& names,
                                                 const std::vector<int32_t>& positions) const;
  // The table's whole row from a plan for some of its columns; the others are NULL.
  absl::StatusOr<LogicalPtr> FillColumns(LogicalPtr plan, const v1::CatalogObject& table,
                                         const std::vector<int>& columns) const;
  absl::StatusOr<BoundOptions> ReadOptions(PgQuery__Node* const* options, size_t count) const;
  // The text of the query behind AS, as written.
  std::string QueryText() const;
  absl::Status Refuse(absl::string_view what, int32_t location) const;
  // Where a name of the statement stands that has no location in the parse tree.
  int32_t PositionOfName(absl::string_view name) const {
    return statement_.PositionOf(statement_.FindName(name));
  }
  int32_t PositionOf(int32_t location) const { return statement_.PositionOf(location); }

  BindSession& session_;
  const ParsedStatement& statement_;
  const QueryEnvironment environment_;
};

}  // namespace millrace
