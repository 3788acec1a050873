#include "worker/operators/limit_operator.h"

#include <algorithm>

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> LimitOperator::Create(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  if (node.inputs(0).changing()) return NotSupported("LIMIT over rows that may be taken back");
  const v1::LimitNode& limit = node.limit();
  return std::unique_ptr<Operator>(
      new LimitOperator(limit.offset(), limit.has_limit() ? limit.limit() : UINT64_MAX));
}

absl::StatusOr<Progress> LimitOperator::ProcessBatch(InputIndex, Batch batch, Emitter& out) {
  const auto rows = static_cast<uint64_t>(batch.num_rows());
  const uint64_t begin = std::min(skip_, rows);
  skip_ -= begin;
  const uint64_t taken = std::min(left_, rows - begin);
  left_ -= taken;
  if (taken == rows) {
    out.Emit(std::move(batch));
  } else if (taken > 0) {
    out.Emit(batch.Slice(static_cast<int64_t>(begin), static_cast<int64_t>(taken)));
  }
  return Progress::kDone;
}

}  // namespace millrace
