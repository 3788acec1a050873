#include "worker/operators/over_evaluation.h"

#include <optional>

#include "common/base/status.h"

namespace millrace {
namespace {

bool HasDistance(const WindowBound& bound) {
  return bound.kind == BoundKind::kPreceding || bound.kind == BoundKind::kFollowing;
}

bool LooksAtValues(const WindowFrame& frame) {
  return frame.unit == FrameUnit::kRange && (HasDistance(frame.start) || HasDistance(frame.end));
}

}  // namespace

std::vector<bool> ColumnsOfCalls(const OverPlan& plan) {
  std::vector<bool> columns(plan.types.size(), false);
  for (const WindowCall& call : plan.calls) {
    // Values of the order come through expressions.
    if (LooksAtValues(call.frame)) return std::vector<bool>(plan.types.size(), true);
    for (const int arg : call.args) columns[arg] = true;
    if (call.aggregate.filter.has_value()) columns[*call.aggregate.filter] = true;
  }
  return columns;
}

absl::StatusOr<Batch> EvaluateOver(const OverPlan& plan, const Batch& rows,
                                   const WindowChunk& chunk, SortKeyReader* reader) {
  std::optional<WindowOrder> order;
  for (const WindowCall& call : plan.calls) {
    if (order.has_value() || !LooksAtValues(call.frame)) continue;
    if (plan.order_keys.size() != 1)
      return InternalError("RANGE with a distance needs one order key");
    MR_RETURN_IF_ERROR(reader->Read(rows));
    order.emplace(WindowOrder{ColumnView(*reader->key_column(0)), plan.order_keys[0].expr->type,
                              plan.order_keys[0].descending});
  }
  std::vector<std::shared_ptr<arrow::Array>> columns = rows.columns();
  for (const WindowCall& call : plan.calls) {
    MR_ASSIGN_OR_RETURN(
        auto column, EvaluateWindowCall(call, rows, chunk, order.has_value() ? &*order : nullptr));
    columns.push_back(std::move(column));
  }
  return rows.WithColumns(std::move(columns));
}

}  // namespace millrace
