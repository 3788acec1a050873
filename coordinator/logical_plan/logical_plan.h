#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/expr/expr.h"
#include "common/types/sql_type.h"

// The bound, typed, relational form of a query: what the binder makes and the planner rewrites.
// Nodes are immutable and shared; a rewrite makes new nodes. Columns are positions: an expression
// of a node refers to the columns of its input; with two inputs, to those of input 0 followed by
// those of input 1.

namespace millrace {

namespace v1 {
class CatalogObject;
}  // namespace v1

struct LogicalNode;
using LogicalPtr = std::shared_ptr<const LogicalNode>;

enum class LogicalKind : uint8_t {
  kScan,
  kValues,
  kFilter,
  kProject,
  kAggregate,
  kJoin,
  kOver,
  kSort,
  kLimit,
  kUnionAll,
  kWindowTvf,
};

// The numbers are those of millrace.v1.JoinType.
enum class JoinType : uint8_t {
  kInner = 1,
  kLeft = 2,
  kRight = 3,
  kFull = 4,
  kSemi = 5,
  kAnti = 6,
  kNullAwareAnti = 7,
};

struct LogicalNode {
  explicit LogicalNode(LogicalKind node_kind) : kind(node_kind) {}
  virtual ~LogicalNode() = default;

  const LogicalKind kind;
  std::vector<LogicalPtr> inputs;
  // Output columns; names are for people and results, references go by position.
  Schema output;
};

// A table, source or materialized view. Views (not materialized) are expanded by the binder.
struct LogicalScan : LogicalNode {
  LogicalScan() : LogicalNode(LogicalKind::kScan) {}
  std::shared_ptr<const v1::CatalogObject> object;
  // Positions of the output's columns in the object's columns.
  std::vector<int> columns;
  // Over the output's columns; null = none. Set by pushdown.
  ExprPtr filter;
  // AS OF EPOCH n, for views.
  std::optional<uint64_t> as_of_epoch;
  int32_t position = 0;
};

// Constant rows. A missing FROM is one row of no columns.
struct LogicalValues : LogicalNode {
  LogicalValues() : LogicalNode(LogicalKind::kValues) {}
  std::vector<std::vector<ExprPtr>> rows;
};

struct LogicalFilter : LogicalNode {
  LogicalFilter() : LogicalNode(LogicalKind::kFilter) {}
  ExprPtr predicate;
};

struct LogicalProject : LogicalNode {
  LogicalProject() : LogicalNode(LogicalKind::kProject) {}
  std::vector<ExprPtr> exprs;
};

// Output: key columns, then aggregates. Keys, arguments and filters are columns of the input (the
// binder puts a projection below). No aggregates = DISTINCT. No keys = one row, also over empty
// input.
struct LogicalAggregate : LogicalNode {
  LogicalAggregate() : LogicalNode(LogicalKind::kAggregate) {}
  std::vector<int> keys;
  std::vector<AggregateCall> aggregates;
};

// Output: left columns ++ right columns; semi and anti: left columns.
struct LogicalJoin : LogicalNode {
  LogicalJoin() : LogicalNode(LogicalKind::kJoin) {}
  JoinType type = JoinType::kInner;
  // Over left ++ right; null = true (cross join). The planner finds the equalities.
  ExprPtr condition;
};

// The numbers are those of millrace.v1.FrameBound.Kind and Frame.Unit.
enum class FrameBoundKind : uint8_t {
  kUnboundedPreceding = 1,
  kPreceding = 2,
  kCurrentRow = 3,
  kFollowing = 4,
  kUnboundedFollowing = 5,
};
enum class FrameUnit : uint8_t { kRows = 1, kRange = 2, kGroups = 3 };

struct OverFrame {
  FrameUnit unit = FrameUnit::kRange;
  FrameBoundKind start = FrameBoundKind::kUnboundedPreceding;
  FrameBoundKind end = FrameBoundKind::kCurrentRow;
  // Distance of kPreceding / kFollowing. ROWS, GROUPS: bigint.
  Value start_offset;
  Value end_offset;
};

struct OverCall {
  // Set: an aggregate over the frame. Else `ranking` names the function.
  std::optional<AggregateCall> aggregate;
  std::string ranking;
  std::vector<int> args;
  OverFrame frame;
  SqlType type;
};

// Output: input columns ++ one column for each call. All calls share partition and order; several
// windows are several nodes.
struct LogicalOver : LogicalNode {
  LogicalOver() : LogicalNode(LogicalKind::kOver) {}
  std::vector<int> partition_keys;
  std::vector<SortKey> order_keys;
  std::vector<OverCall> calls;
};

struct LogicalSort : LogicalNode {
  LogicalSort() : LogicalNode(LogicalKind::kSort) {}
  std::vector<SortKey> keys;
};

struct LogicalLimit : LogicalNode {
  LogicalLimit() : LogicalNode(LogicalKind::kLimit) {}
  std::optional<uint64_t> limit;
  uint64_t offset = 0;
};

struct LogicalUnionAll : LogicalNode {
  LogicalUnionAll() : LogicalNode(LogicalKind::kUnionAll) {}
};

// The numbers are those of millrace.v1.WindowTvfNode.Kind.
enum class WindowKind : uint8_t { kTumble = 1, kHop = 2, kCumulate = 3 };

// Output: input columns ++ window_start, window_end (type of the time column).
struct LogicalWindowTvf : LogicalNode {
  LogicalWindowTvf() : LogicalNode(LogicalKind::kWindowTvf) {}
  WindowKind window = WindowKind::kTumble;
  int time_column = 0;
  int64_t size_micros = 0;
  int64_t slide_micros = 0;
  int64_t offset_micros = 0;
};

// One line for each node, inputs indented; for EXPLAIN and tests.
std::string LogicalToString(const LogicalNode& node);

}  // namespace millrace
