#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/sort_buffer.h"
#include "worker/operators/bounded_operator.h"
#include "worker/operators/sort_key_reader.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// Puts its whole bounded input in order. Rows of equal keys keep their order of arrival.
class SortOperator final : public BoundedOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;

 private:
  SortOperator(std::vector<SortKey> keys, Schema input, std::vector<SqlType> types)
      : BoundedOperator("sort"),
        keys_(std::move(keys)),
        input_(std::move(input)),
        buffer_(std::move(types), TieBreak::kArrival) {}

  const std::vector<SortKey> keys_;
  const Schema input_;
  std::unique_ptr<SortKeyReader> reader_;
  SortBuffer buffer_;
  uint32_t emitted_ = 0;
};

}  // namespace millrace
