#include "tests/support/operators/operator_harness.h"

#include "common/base/check.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

class OperatorHarness::CollectingEmitter final : public Emitter {
 public:
  CollectingEmitter(std::vector<Batch>& output, int room) : output_(output), left_(room) {}
  void Emit(Batch batch) override {
    if (batch.num_rows() == 0) return;
    --left_;
    output_.push_back(std::move(batch));
  }
  bool full() const override { return left_ <= 0; }

 private:
  std::vector<Batch>& output_;
  int left_;
};

OperatorHarness::OperatorHarness(absl::StatusOr<std::unique_ptr<Operator>> op,
                                 TaskStateStore* state)
    : memory_(int64_t{4} << 30) {
  EXPECT_TRUE(op.ok()) << op.status();
  MR_CHECK(op.ok());
  op_ = std::move(op).value();
  context_.counters = &counters_;
  context_.memory = &memory_;
  context_.state = state;
  context_.node_id = 7;
  const absl::Status opened = op_->Open(context_);
  EXPECT_TRUE(opened.ok()) << opened;
  MR_CHECK(opened.ok());
}

OperatorHarness::~OperatorHarness() {
  EXPECT_TRUE(op_->Close().ok());
  op_.reset();
  EXPECT_EQ(memory_.used(), 0);
}

absl::Status OperatorHarness::Run(const std::function<absl::StatusOr<Progress>(Emitter&)>& call) {
  CollectingEmitter emitter(output_, room_);
  absl::StatusOr<Progress> progress = call(emitter);
  while (progress.ok() && *progress == Progress::kMore) {
    EXPECT_TRUE(emitter.full() || may_yield_);
    ++resumes_;
    CollectingEmitter next(output_, room_);
    progress = op_->Resume(next);
    if (progress.ok() && *progress == Progress::kMore) {
      EXPECT_TRUE(next.full() || may_yield_);
    }
  }
  return progress.status();
}

absl::Status OperatorHarness::TryPush(const Batch& batch, InputIndex input) {
  EXPECT_NE(op_->open_inputs() & (1u << input), 0u);
  return Run([&](Emitter& out) { return op_->ProcessBatch(input, batch, out); });
}

void OperatorHarness::Push(const Batch& batch, InputIndex input) {
  const absl::Status status = TryPush(batch, input);
  EXPECT_TRUE(status.ok()) << status;
}

void OperatorHarness::Watermark(int64_t micros) {
  const absl::Status status =
      Run([&](Emitter& out) { return op_->ProcessWatermark(millrace::Watermark{micros}, out); });
  EXPECT_TRUE(status.ok()) << status;
}

void OperatorHarness::Barrier(bool checkpoint) {
  millrace::Barrier barrier;
  barrier.epoch = ++epoch_;
  barrier.checkpoint = checkpoint;
  const absl::Status status = Run([&](Emitter& out) { return op_->ProcessBarrier(barrier, out); });
  EXPECT_TRUE(status.ok()) << status;
}

absl::Status OperatorHarness::TryEnd(InputIndex input) {
  return Run([&](Emitter& out) { return op_->ProcessEnd(input, out); });
}

void OperatorHarness::End(InputIndex input) {
  const absl::Status status = TryEnd(input);
  EXPECT_TRUE(status.ok()) << status;
}

void OperatorHarness::RunLeaf() {
  const absl::Status status = Run([&](Emitter& out) { return op_->Resume(out); });
  EXPECT_TRUE(status.ok()) << status;
}

std::vector<Batch> OperatorHarness::Take() {
  std::vector<Batch> taken;
  taken.swap(output_);
  return taken;
}

void SetOutput(const Schema& schema, v1::PlanNode* node) {
  for (const Field& field : schema) ToProto(field, node->add_output());
}

}  // namespace millrace
