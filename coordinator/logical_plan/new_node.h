#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/logical_plan/logical_plan.h"

// Makers of logical nodes that work out the output columns, so that nobody fills them in by hand.
// Inputs are never null.

namespace millrace {

// All columns of `object`.
LogicalPtr NewScan(std::shared_ptr<const v1::CatalogObject> object,
                   std::optional<uint64_t> as_of_epoch, int32_t position);
LogicalPtr NewValues(Schema output, std::vector<std::vector<ExprPtr>> rows);
// One row without columns: a SELECT without FROM.
LogicalPtr NewOneRow();
// `input` itself if `predicate` is null.
LogicalPtr NewFilter(LogicalPtr input, ExprPtr predicate);
// names[i] is the name of exprs[i].
LogicalPtr NewProject(LogicalPtr input, std::vector<ExprPtr> exprs,
                      const std::vector<std::string>& names);
// The first `num_columns` columns of `input`; `input` itself if it has no more.
LogicalPtr NewPrefix(LogicalPtr input, size_t num_columns);
// The same columns under other names; shares everything below.
LogicalPtr WithNames(const LogicalPtr& input, const std::vector<std::string>& names);
// Aggregates are named after their function.
LogicalPtr NewAggregate(LogicalPtr input, std::vector<int> keys,
                        std::vector<AggregateCall> aggregates);
// One row for each different row of `input`.
LogicalPtr NewDistinct(LogicalPtr input);
// `condition` may be null.
LogicalPtr NewJoin(JoinType type, LogicalPtr left, LogicalPtr right, ExprPtr condition);
LogicalPtr NewOver(LogicalPtr input, std::vector<int> partition_keys,
                   std::vector<SortKey> order_keys, std::vector<OverCall> calls);
LogicalPtr NewSort(LogicalPtr input, std::vector<SortKey> keys);
LogicalPtr NewLimit(LogicalPtr input, std::optional<uint64_t> limit, uint64_t offset);
// Column names are those of the first input. At least one input; their types agree.
LogicalPtr NewUnionAll(std::vector<LogicalPtr> inputs);

// What a window function adds rows for; see LogicalWindowTvf.
struct WindowSpec {
  WindowKind kind = WindowKind::kTumble;
  int time_column = 0;
  int64_t size_micros = 0;
  int64_t slide_micros = 0;
  int64_t offset_micros = 0;
};
LogicalPtr NewWindowTvf(LogicalPtr input, const WindowSpec& spec);

// "count", "sum", …: the SQL name of an aggregate.
std::string AggregateName(AggregateFunction function);

}  // namespace millrace
