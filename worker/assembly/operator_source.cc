#include "worker/assembly/operator_source.h"

#include <utility>
#include <vector>

#include "common/base/status.h"
#include "worker/runtime/batch_coalescer.h"

namespace millrace {
namespace {

// Full after the first batch.
class OneBatchEmitter final : public Emitter {
 public:
  void Emit(Batch batch) override {
    if (batch.num_rows() > 0) batches_.push_back(std::move(batch));
  }
  bool full() const override { return !batches_.empty(); }
  const std::vector<Batch>& batches() const { return batches_; }

 private:
  std::vector<Batch> batches_;
};

}  // namespace

OperatorSource::OperatorSource(std::unique_ptr<Operator> op, OperatorContext context)
    : op_(std::move(op)), context_(std::move(context)) {
  context_.counters = &counters_;
}

OperatorSource::~OperatorSource() = default;

absl::Status OperatorSource::Open(const v1::Split& split) {
  position_.set_split_id(split.id());
  return op_->Open(context_);
}

absl::StatusOr<PollResult> OperatorSource::Poll(const PollBudget&, Batch* batch) {
  OneBatchEmitter emitter;
  MR_ASSIGN_OR_RETURN(const Progress progress, op_->Resume(emitter));
  *batch = Batch();
  if (!emitter.batches().empty()) {
    MR_ASSIGN_OR_RETURN(*batch, ConcatenateBatches(emitter.batches()));
  }
  position_.set_rows(position_.rows() + static_cast<uint64_t>(batch->num_rows()));
  position_.set_ended(progress == Progress::kDone);
  return progress == Progress::kDone ? PollResult::kEnd : PollResult::kRows;
}

}  // namespace millrace
