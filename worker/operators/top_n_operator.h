#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/top_n_buffer.h"
#include "worker/operators/bounded_operator.h"
#include "worker/operators/sort_key_reader.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// ORDER BY … LIMIT … OFFSET over bounded input; ties are broken by the whole row (I10).
class TopNOperator final : public BoundedOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;

 private:
  TopNOperator(std::vector<SortKey> keys, Schema input, TopNBuffer buffer, uint64_t offset)
      : BoundedOperator("top-n"),
        keys_(std::move(keys)),
        input_(std::move(input)),
        buffer_(std::move(buffer)),
        next_(offset) {}

  const std::vector<SortKey> keys_;
  const Schema input_;
  std::unique_ptr<SortKeyReader> reader_;
  TopNBuffer buffer_;
  // Position of the next row to give out.
  uint64_t next_;
};

}  // namespace millrace
