#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/expr/expr.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/query_environment.h"

struct PgQuery__WindowDef;

namespace millrace {

// An aggregate call of a SELECT, over the row of its FROM clause.
struct AggregateItem {
  ResolvedAggregate resolved;
  bool distinct = false;
  // Null = every row.
  ExprPtr filter;
};

// PARTITION BY, ORDER BY and frame of an OVER clause, resolved.
struct WindowDefinition {
  std::vector<ExprPtr> partition;
  std::vector<SortKey> order;
  OverFrame frame;
};

// A call with OVER: an aggregate over the frame, or else a ranking function. The expressions may
// contain aggregates.
struct WindowItem {
  std::optional<AggregateItem> aggregate;
  ResolvedRanking ranking;
  WindowDefinition window;
};

// What a subquery gives to the expression that it stands in. kScalar: the value of its only column.
// kExists: whether it has a row. kMark: `operand IN (subquery)`, with all three truth values.
// kBounds: `operand op ANY (subquery)` or ALL, likewise.
enum class SubqueryKind : uint8_t { kScalar, kExists, kMark, kBounds };

struct SubqueryItem {
  SubqueryKind kind = SubqueryKind::kScalar;
  LogicalPtr plan;
  // kMark, kBounds.
  ExprPtr operand;
  // kBounds: "<", "<=", ">", ">=", or "=" for ALL; and whether it is ALL.
  std::string comparison;
  bool for_all = false;
  int32_t position = 0;
  // A correlated kScalar or kExists: the plan's last columns are the inner sides of the equalities
  // with outer columns; this is the join condition, over the outer row with kOuterColumnBase and
  // the plan's columns. Null: not correlated.
  ExprPtr correlation;
  // The plan's second column counts the rows behind the value, of which there may be one only.
  bool counts_rows = false;
  // What a correlated subquery gives where it has no row: NULL, or for count a value. Null: NULL.
  ExprPtr value_without_rows;
};

// Subqueries that wait for being joined to a plan.
class SubqueryList {
 public:
  explicit SubqueryList(int placeholder_base) : base_(placeholder_base) {}

  // The placeholder that stands for the subquery's value.
  ExprPtr Add(SubqueryItem item, const SqlType& type);
  bool empty() const { return items_.empty(); }
  std::vector<SubqueryItem>& items() { return items_; }

  // Joins all subqueries to `input`, whose columns keep their positions; sets *columns to what the
  // placeholders base + i mean.
  absl::StatusOr<LogicalPtr> Attach(LogicalPtr input, std::vector<ExprPtr>* columns);
  int base() const { return base_; }

 private:
  absl::StatusOr<LogicalPtr> AttachOne(LogicalPtr input, const SubqueryItem& item, ExprPtr* value);

  const int base_;
  std::vector<SubqueryItem> items_;
};

// What is found in the expressions of one SELECT and needs operators of its own.
struct SelectParts {
  std::vector<AggregateItem> aggregates;
  std::vector<WindowItem> windows;
  // Needed below the aggregation (in arguments of aggregates, WHERE, GROUP BY), and above it.
  SubqueryList input_subqueries{kInputSubqueryBase};
  SubqueryList result_subqueries{kResultSubqueryBase};
  // The WINDOW clause.
  std::vector<const PgQuery__WindowDef*> named_windows;
};

// Adds an aggregate or a window call unless an equal one is there; returns its placeholder.
ExprPtr AddAggregate(SelectParts& parts, AggregateItem item, int32_t position);
ExprPtr AddWindow(SelectParts& parts, WindowItem item, int32_t position);

}  // namespace millrace
