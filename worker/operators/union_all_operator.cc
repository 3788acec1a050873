#include "worker/operators/union_all_operator.h"

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> UnionAllOperator::Create(const v1::PlanNode& node) {
  for (const v1::PlanNode& input : node.inputs()) {
    if (input.output_size() != node.output_size()) {
      return InternalError("inputs of UNION ALL have different numbers of columns");
    }
  }
  return std::make_unique<UnionAllOperator>();
}

absl::StatusOr<Progress> UnionAllOperator::ProcessBatch(InputIndex, Batch batch, Emitter& out) {
  out.Emit(std::move(batch));
  return Progress::kDone;
}

}  // namespace millrace
