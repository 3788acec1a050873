#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/sql_type.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/operator.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// Drives one operator as the runtime does, and collects what it emits. Every call must succeed
// unless the test asks for the status. With `set_room(n)` the output is full after n batches until
// the operator is resumed.
class OperatorHarness {
 public:
  explicit OperatorHarness(absl::StatusOr<std::unique_ptr<Operator>> op,
                           TaskStateStore* state = nullptr);
  ~OperatorHarness();

  void set_room(int batches) { room_ = batches; }
  // The operator bounds the work of a step, so kMore need not mean that the output is full.
  void AllowYields() { may_yield_ = true; }

  void Push(const Batch& batch, InputIndex input = 0);
  absl::Status TryPush(const Batch& batch, InputIndex input = 0);
  void Watermark(int64_t micros);
  void Barrier(bool checkpoint = false);
  void End(InputIndex input = 0);
  absl::Status TryEnd(InputIndex input = 0);
  // For operators without inputs.
  void RunLeaf();

  // What came out since the last call.
  std::vector<Batch> Take();
  const OperatorCounters& counters() const { return counters_; }
  Operator& op() { return *op_; }
  int resumes() const { return resumes_; }

 private:
  class CollectingEmitter;
  absl::Status Run(const std::function<absl::StatusOr<Progress>(Emitter&)>& call);

  MemoryBudget memory_;
  OperatorCounters counters_;
  OperatorContext context_;
  std::unique_ptr<Operator> op_;
  std::vector<Batch> output_;
  int room_ = 1 << 30;
  bool may_yield_ = false;
  int resumes_ = 0;
  uint64_t epoch_ = 0;
};

// The fields of a schema as a node's output.
void SetOutput(const Schema& schema, v1::PlanNode* node);

}  // namespace millrace
