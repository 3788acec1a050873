#pragma once

#include <functional>
#include <vector>

#include "coordinator/logical_plan/logical_plan.h"

// Making and copying logical nodes: nodes are immutable, so a rewrite builds new ones.

namespace millrace {

// A filter; `input` itself if there are no conjuncts.
LogicalPtr MakeFilter(LogicalPtr input, const std::vector<ExprPtr>& conjuncts);
LogicalPtr MakeProject(LogicalPtr input, std::vector<ExprPtr> exprs, Schema output);
// The columns `columns` of `input`, in that order, under their names.
LogicalPtr MakeColumnProject(LogicalPtr input, const std::vector<int>& columns);
// A join with the output that its type implies. No conjuncts: a cross join.
LogicalPtr MakeJoin(JoinType type, LogicalPtr left, LogicalPtr right,
                    const std::vector<ExprPtr>& conjuncts);
LogicalPtr MakeLimit(LogicalPtr input, std::optional<uint64_t> limit, uint64_t offset);
// No rows with these columns.
LogicalPtr MakeNoRows(Schema output);

// True if the node is a Values that never gives a row.
bool GivesNoRows(const LogicalNode& node);

// A copy of `node` over other inputs, which have the columns of the old ones. Returns `node` itself
// if nothing changes.
LogicalPtr WithInputs(const LogicalPtr& node, std::vector<LogicalPtr> inputs);

// A copy of `node` (not of its inputs) with `rewrite` applied to each of its expressions.
using ExprRewrite = std::function<ExprPtr(const ExprPtr&)>;
LogicalPtr WithExprs(const LogicalPtr& node, const ExprRewrite& rewrite);

// `rewrite` applied to every node from the leaves up; it sees nodes whose inputs are rewritten
// already.
using NodeRewrite = std::function<LogicalPtr(const LogicalPtr&)>;
LogicalPtr RewriteBottomUp(const LogicalPtr& node, const NodeRewrite& rewrite);

// The number of output columns.
inline int Width(const LogicalNode& node) { return static_cast<int>(node.output.size()); }
// True for the join types whose output is left ++ right.
inline bool OutputsBothSides(JoinType type) { return type <= JoinType::kFull; }

// References to all columns of `schema`, the first one being column `first`.
std::vector<ExprPtr> ColumnRefs(const Schema& schema, int first = 0);
// mapping[i] = i + by, for i < size.
std::vector<int> ShiftMapping(int size, int by);
// All columns of the expression lie in [begin, end).
bool ColumnsWithin(const Expr& expr, int begin, int end);

template <typename Node>
const Node& As(const LogicalNode& node) {
  return static_cast<const Node&>(node);
}

}  // namespace millrace
