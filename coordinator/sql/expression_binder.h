#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/expr/expr.h"
#include "coordinator/sql/query_environment.h"
#include "coordinator/sql/scope.h"
#include "coordinator/sql/select_parts.h"

struct PgQuery__AExpr;
struct PgQuery__BooleanTest;
struct PgQuery__BoolExpr;
struct PgQuery__CaseExpr;
struct PgQuery__CollateClause;
struct PgQuery__ColumnRef;
struct PgQuery__FuncCall;
struct PgQuery__Node;
struct PgQuery__NullTest;
struct PgQuery__SQLValueFunction;
struct PgQuery__SubLink;
struct PgQuery__TypeCast;

namespace millrace {

// The part of a statement that an expression stands in: what may occur in it, and how messages call
// it.
enum class Clause : uint8_t {
  kSelect,
  kHaving,
  kOrderBy,
  kWindow,
  kWhere,
  kJoin,
  kGroupBy,
  kFilter,
  kLimit,
  kOffset,
  kValues,
  kFromFunction,
  kWatermark,
  kCall,
  kFrame,
  kDefault,
};

// "WHERE", "JOIN conditions", …
absl::string_view ClauseName(Clause clause);

// Binds expressions of one clause. The column positions of the result are those of the scope's row;
// aggregates, window calls and subqueries become placeholders (query_environment.h) and are added
// to `parts`.
class ExpressionBinder {
 public:
  // `parts` may be null: then the clause has no aggregates, window calls and subqueries.
  ExpressionBinder(const QueryEnvironment& environment, const Scope& scope, Clause clause,
                   SelectParts* parts)
      : environment_(environment), scope_(scope), clause_(clause), parts_(parts) {}

  absl::StatusOr<ExprPtr> Bind(const PgQuery__Node* node);
  // 42804 for an expression that is not boolean; `what` as in "argument of WHERE".
  absl::StatusOr<ExprPtr> BindBoolean(const PgQuery__Node* node, absl::string_view what);

  const QueryEnvironment& environment() const { return environment_; }
  const Scope& scope() const { return scope_; }
  SelectParts* parts() const { return parts_; }
  // Subqueries of this clause join the plan below the aggregation.
  bool below_aggregation() const;
  // Subqueries of this clause may use columns of the query.
  bool may_correlate() const;

 private:
  friend class FunctionBinder;

  int32_t PositionOf(int32_t location) const { return environment_.PositionOf(location); }
  absl::StatusOr<std::vector<ExprPtr>> BindAll(PgQuery__Node* const* nodes, size_t count);
  absl::Status Refuse(absl::string_view what, int32_t location) const;

  absl::StatusOr<ExprPtr> BindNode(const PgQuery__Node& node);
  absl::StatusOr<ExprPtr> BindRareNode(const PgQuery__Node& node);
  absl::StatusOr<ExprPtr> BindColumn(const PgQuery__ColumnRef& ref);
  absl::StatusOr<ExprPtr> BindName(absl::string_view name, int32_t position);
  absl::StatusOr<ExprPtr> BindQualified(absl::string_view qualifier, absl::string_view name,
                                        int32_t position);
  // The column of a query further out; null if there is none.
  absl::StatusOr<ExprPtr> FindOuter(absl::string_view qualifier, absl::string_view name,
                                    int32_t position);
  absl::StatusOr<ExprPtr> BindCast(const PgQuery__TypeCast& cast);
  absl::StatusOr<ExprPtr> BindOperatorExpr(const PgQuery__AExpr& expr);
  absl::StatusOr<ExprPtr> BindPlainOperator(const PgQuery__AExpr& expr);
  absl::StatusOr<ExprPtr> BindBetween(const PgQuery__AExpr& expr);
  absl::StatusOr<ExprPtr> BindIn(const PgQuery__AExpr& expr);
  absl::StatusOr<ExprPtr> BindLike(const PgQuery__AExpr& expr);
  absl::StatusOr<ExprPtr> BindSimilar(const PgQuery__AExpr& expr);
  absl::StatusOr<ExprPtr> BindBoolExpr(const PgQuery__BoolExpr& expr);
  absl::StatusOr<ExprPtr> BindCase(const PgQuery__CaseExpr& expr);
  absl::StatusOr<ExprPtr> BindNullTest(const PgQuery__NullTest& test);
  absl::StatusOr<ExprPtr> BindBooleanTest(const PgQuery__BooleanTest& test);
  absl::StatusOr<ExprPtr> BindValueFunction(const PgQuery__SQLValueFunction& function);
  absl::StatusOr<ExprPtr> BindCollate(const PgQuery__CollateClause& collate);
  absl::StatusOr<ExprPtr> BindNamedForm(absl::string_view name, PgQuery__Node* const* args,
                                        size_t count, int32_t location);

  const QueryEnvironment& environment_;
  const Scope& scope_;
  const Clause clause_;
  SelectParts* const parts_;
  // Inside the arguments of an aggregate or of a window call.
  bool inside_aggregate_ = false;
  bool inside_window_ = false;
};

// A function call: scalar, aggregate, or with OVER.
absl::StatusOr<ExprPtr> BindFunction(ExpressionBinder& binder, const PgQuery__FuncCall& call);
// IN, EXISTS, ANY, ALL and scalar subqueries, anywhere in an expression.
absl::StatusOr<ExprPtr> BindSubLink(ExpressionBinder& binder, const PgQuery__SubLink& link);

}  // namespace millrace
