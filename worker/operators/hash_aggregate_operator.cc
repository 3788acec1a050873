#include "worker/operators/hash_aggregate_operator.h"

#include <algorithm>
#include <numeric>

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/streaming_aggregate_operator.h"

namespace millrace {
namespace {

// How many rows a first half sees before it decides whether combining them pays.
constexpr int64_t kSampleRows = 512 << 10;
// It does not when more than this share of rows found a new group. Over unbounded input the groups
// go at each barrier, so the share does not fall as it does towards the end of bounded input.
constexpr double kPassThroughShare = 0.85;
constexpr double kStreamingPassThroughShare = 0.5;
// Memory at which a first half gives out what it has and begins anew.
constexpr int64_t kPartialBytesMax = int64_t{256} << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> HashAggregateOperator::Create(const v1::PlanNode& node) {
  MR_ASSIGN_OR_RETURN(AggregatePlan plan, AggregatePlan::From(node));
  if (plan.emit != AggregatePlan::Emit::kAtEnd) {
    return StreamingAggregateOperator::Create(std::move(plan));
  }
  return std::unique_ptr<Operator>(new HashAggregateOperator(std::move(plan)));
}

absl::Status HashAggregateOperator::Open(OperatorContext& op_context) {
  MR_RETURN_IF_ERROR(BoundedOperator::Open(op_context));
  MR_ASSIGN_OR_RETURN(aggregates_, plan_.MakeAggregates());
  return absl::OkStatus();
}

absl::StatusOr<Progress> HashAggregateOperator::ProcessBatch(InputIndex, Batch batch,
                                                             Emitter& out) {
  if (batch.num_rows() == 0) return Progress::kDone;
  if (passes_through_) {
    MR_ASSIGN_OR_RETURN(Batch rows, PassThrough(batch));
    out.Emit(std::move(rows));
    return Progress::kDone;
  }
  MR_RETURN_IF_ERROR(Consume(batch));
  if (plan_.phase == AggregatePlan::Phase::kPartial) {
    rows_seen_ += batch.num_rows();
    DecideOnPassThrough();
    if (ShouldFlush()) return Flush(out);
  }
  return Progress::kDone;
}

absl::Status HashAggregateOperator::Consume(const Batch& batch) {
  row_groups_.resize(batch.num_rows());
  groups_.FindOrInsert(batch, plan_.keys, row_groups_.data());
  aggregates_->Resize(groups_.size());
  if (plan_.phase == AggregatePlan::Phase::kFinal) {
    MR_RETURN_IF_ERROR(
        aggregates_->Merge(batch, static_cast<int>(plan_.keys.size()), row_groups_.data()));
  } else {
    MR_RETURN_IF_ERROR(aggregates_->Update(batch, row_groups_.data()));
  }
  return HoldBytes(groups_.bytes() + aggregates_->bytes());
}

void HashAggregateOperator::DecideOnPassThrough() {
  if (decided_ || rows_seen_ < kSampleRows || plan_.keys.empty()) return;
  decided_ = true;
  const auto groups = static_cast<double>(groups_given_out_ + groups_.size());
  const double share_max = plan_.streaming ? kStreamingPassThroughShare : kPassThroughShare;
  passes_through_ = groups > share_max * static_cast<double>(rows_seen_);
}

bool HashAggregateOperator::ShouldFlush() const {
  return passes_through_ || groups_.bytes() + aggregates_->bytes() > kPartialBytesMax;
}

absl::StatusOr<Batch> HashAggregateOperator::PassThrough(const Batch& batch) {
  if (pass_through_aggregates_ == nullptr) {
    MR_ASSIGN_OR_RETURN(pass_through_aggregates_, plan_.MakeAggregates());
  }
  const auto n = static_cast<uint32_t>(batch.num_rows());
  row_groups_.resize(n);
  std::iota(row_groups_.begin(), row_groups_.end(), 0);
  pass_through_aggregates_->Clear();
  pass_through_aggregates_->Resize(n);
  MR_RETURN_IF_ERROR(pass_through_aggregates_->Update(batch, row_groups_.data()));
  AggregateSet::Columns columns;
  for (const int key : plan_.keys) columns.push_back(batch.column(key));
  MR_RETURN_IF_ERROR(pass_through_aggregates_->Partial(row_groups_, &columns));
  return Batch(std::move(columns), n);
}

absl::StatusOr<Progress> HashAggregateOperator::ProcessWatermark(Watermark, Emitter& out) {
  // Whoever finishes windows at this watermark must have seen all their rows.
  return plan_.streaming ? Flush(out) : absl::StatusOr<Progress>(Progress::kDone);
}

absl::StatusOr<Progress> HashAggregateOperator::ProcessBarrier(const Barrier&, Emitter& out) {
  return plan_.streaming ? Flush(out) : absl::StatusOr<Progress>(Progress::kDone);
}

absl::StatusOr<Progress> HashAggregateOperator::ProcessEnd(InputIndex, Emitter& out) {
  // Without keys there is a result also for no rows: one, from one task.
  const bool needs_row = plan_.keys.empty() && groups_.size() == 0 &&
                         plan_.phase != AggregatePlan::Phase::kPartial && context().task_index == 0;
  if (needs_row) {
    aggregates_->Resize(1);
    MR_ASSIGN_OR_RETURN(Batch row, GroupBatch(0, 1));
    out.Emit(std::move(row));
    return Progress::kDone;
  }
  return Flush(out);
}

absl::StatusOr<Progress> HashAggregateOperator::Flush(Emitter& out) {
  flushing_ = true;
  next_group_ = 0;
  groups_at_once_ = plan_.PaceOfResults(groups_.size(), groups_.bytes() + aggregates_->bytes());
  return Resume(out);
}

absl::StatusOr<Progress> HashAggregateOperator::Resume(Emitter& out) {
  while (flushing_ && next_group_ < groups_.size()) {
    if (out.full()) return Progress::kMore;
    const int64_t rest = std::min<int64_t>(kTargetBatchRows, groups_.size() - next_group_);
    const auto n = static_cast<uint32_t>(groups_at_once_.Next(rest));
    MR_ASSIGN_OR_RETURN(Batch batch, GroupBatch(next_group_, n));
    const int64_t bytes = batch.ByteSize();
    groups_at_once_.Made(n, bytes);
    // A joined text may have more than all that it was made of.
    if (bytes > kMaxBatchBytes) {
      MR_RETURN_IF_ERROR(HoldBytes(groups_.bytes() + aggregates_->bytes() + bytes));
    }
    out.Emit(std::move(batch));
    if (bytes > kMaxBatchBytes) {
      MR_RETURN_IF_ERROR(HoldBytes(groups_.bytes() + aggregates_->bytes()));
    }
    next_group_ += n;
  }
  if (flushing_) {
    flushing_ = false;
    groups_given_out_ += groups_.size();
    groups_.Clear();
    aggregates_->Clear();
  }
  return Progress::kDone;
}

absl::StatusOr<Batch> HashAggregateOperator::GroupBatch(uint32_t begin, uint32_t n) const {
  std::vector<uint32_t> groups(n);
  std::iota(groups.begin(), groups.end(), begin);
  AggregateSet::Columns columns;
  if (!plan_.keys.empty()) columns = groups_.Keys(groups);
  if (plan_.phase == AggregatePlan::Phase::kPartial) {
    MR_RETURN_IF_ERROR(aggregates_->Partial(groups, &columns));
  } else {
    MR_RETURN_IF_ERROR(aggregates_->Results(groups, &columns));
  }
  return Batch(std::move(columns), n);
}

}  // namespace millrace
