#include "worker/operators/streaming/changing_over_operator.h"

#include <limits>
#include <numeric>
#include <utility>

#include "absl/memory/memory.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/row_bytes.h"
#include "worker/operators/over_evaluation.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

constexpr uint64_t kAllRows = std::numeric_limits<uint64_t>::max();

std::vector<SqlType> OutputTypes(const OverPlan& plan) {
  std::vector<SqlType> types = plan.types;
  for (const WindowCall& call : plan.calls) types.push_back(call.type);
  return types;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> ChangingOverOperator::Create(const v1::PlanNode& node) {
  MR_ASSIGN_OR_RETURN(OverPlan plan, OverPlan::From(node));
  if (!node.changing()) return InternalError("OVER whose output does not change keeps no rows");
  return absl::WrapUnique<Operator>(new ChangingOverOperator(std::move(plan)));
}

ChangingOverOperator::ChangingOverOperator(OverPlan plan)
    : plan_(std::move(plan)),
      output_types_(OutputTypes(plan_)),
      rows_(plan_.types, plan_.partition_keys) {}

absl::Status ChangingOverOperator::Open(OperatorContext& context) {
  context_ = &context;
  memory_.emplace(*context.memory, "window functions");
  MR_ASSIGN_OR_RETURN(key_reader_,
                      SortKeyReader::Create({}, plan_.order_keys, plan_.input, context.eval));
  if (context.state == nullptr) return absl::OkStatus();
  MR_RETURN_IF_ERROR(rows_.Restore(*context.state, context.node_id, *key_reader_));
  return memory_->Update(rows_.bytes());
}

absl::StatusOr<Progress> ChangingOverOperator::ProcessBatch(InputIndex, Batch batch, Emitter&) {
  const int64_t n = batch.num_rows();
  if (n == 0) return Progress::kDone;
  MR_RETURN_IF_ERROR(rows_.LoadFor(batch));
  MR_RETURN_IF_ERROR(key_reader_->Read(batch));
  rows_.FindPartitions(batch, &partitions_);
  is_touched_.Resize(rows_.num_partitions(), 0);
  // Before any change: what the partitions are.
  for (int64_t i = 0; i < n; ++i) Touch(partitions_[i]);
  std::vector<int32_t> all(n);
  std::iota(all.begin(), all.end(), 0);
  std::vector<uint32_t> stored;
  rows_.FindRows(batch, partitions_, key_reader_->keys(), all, &stored);
  const int64_t* weights = batch.raw_weights();
  for (int64_t i = 0; i < n; ++i) rows_.Change(stored[i], weights == nullptr ? 1 : weights[i]);
  context_->counters->rows_touched += static_cast<uint64_t>(n);
  const auto scratch = static_cast<int64_t>(old_rows_.capacity() * sizeof(Entry) +
                                            touched_.capacity() * sizeof(Touched));
  MR_RETURN_IF_ERROR(memory_->Update(rows_.bytes() + scratch));
  return Progress::kDone;
}

void ChangingOverOperator::Touch(uint32_t partition) {
  if (is_touched_[partition] != 0) return;
  is_touched_[partition] = 1;
  const size_t begin = old_rows_.size();
  rows_.AppendTop(partition, kAllRows, &old_rows_);
  touched_.push_back({partition, begin, old_rows_.size()});
}

void ChangingOverOperator::AppendPartition(absl::Span<const Entry> entries, Chunk* chunk) const {
  for (size_t i = 0; i < entries.size(); ++i) {
    const uint32_t row = entries[i].row;
    const bool new_peer = i == 0 || rows_.key(row) != rows_.key(entries[i - 1].row);
    for (int64_t copy = 0; copy < entries[i].count; ++copy) {
      chunk->rows.push_back(row);
      chunk->new_partition.PushBack(i == 0 && copy == 0 ? 1 : 0);
      chunk->new_peer.PushBack(new_peer && copy == 0 ? 1 : 0);
    }
  }
}

absl::Status ChangingOverOperator::Evaluate(int64_t weight, Chunk* chunk, RowMultiset* changes) {
  if (chunk->rows.empty()) return absl::OkStatus();
  const auto n = static_cast<int64_t>(chunk->rows.size());
  const WindowChunk window = WindowChunk::Of(chunk->new_partition, chunk->new_peer);
  MR_ASSIGN_OR_RETURN(
      const Batch evaluated,
      EvaluateOver(plan_, rows_.rows().GatherRows(chunk->rows), window, key_reader_.get()));
  MR_RETURN_IF_ERROR(HoldMore(evaluated));
  FlatVector<int64_t> weights;
  weights.Resize(n, weight);
  changes->Add(evaluated.WithWeights(MakeInt64Array(std::move(weights))));
  context_->counters->rows_touched += static_cast<uint64_t>(n);
  *chunk = Chunk();
  return absl::OkStatus();
}

absl::Status ChangingOverOperator::HoldMore(const Batch& evaluated) {
  const RowBytes row_bytes(evaluated, DictionaryBytes::kText);
  int64_t bytes = row_bytes.total_max(0, evaluated.num_rows());
  if (bytes <= kMaxBatchBytes) return absl::OkStatus();
  bytes = 0;
  for (int64_t i = 0; i < evaluated.num_rows(); ++i) bytes += row_bytes.at(i);
  return memory_->Update(memory_->held() + bytes);
}

absl::Status ChangingOverOperator::CollectChanges() {
  Chunk before;
  Chunk after;
  std::vector<Entry> entries;
  const auto is_full = [this](const Chunk& chunk) {
    const absl::Span<const uint32_t> rows = chunk.rows;
    return static_cast<int64_t>(rows.size()) >= kTargetBatchRows ||
           rows_.rows().RowsWithinBatch(rows) < rows.size();
  };
  while (next_ < touched_.size() && !is_full(before) && !is_full(after)) {
    const Touched& touched = touched_[next_++];
    is_touched_[touched.partition] = 0;
    AppendPartition(absl::MakeConstSpan(old_rows_).subspan(touched.old_begin,
                                                           touched.old_end - touched.old_begin),
                    &before);
    entries.clear();
    rows_.AppendTop(touched.partition, kAllRows, &entries);
    AppendPartition(entries, &after);
  }
  const int64_t held_before = memory_->held();
  RowMultiset changes(output_types_);
  MR_RETURN_IF_ERROR(Evaluate(-1, &before, &changes));
  MR_RETURN_IF_ERROR(Evaluate(1, &after, &changes));
  changes_ = changes.WeightedRows();
  return memory_->Update(held_before);
}

absl::StatusOr<Progress> ChangingOverOperator::EmitChanges(Emitter& out) {
  while (next_ < touched_.size() || !changes_.empty()) {
    if (out.full()) return Progress::kMore;
    if (changes_.empty()) {
      MR_RETURN_IF_ERROR(CollectChanges());
      continue;
    }
    out.Emit(std::move(changes_.back()));
    changes_.pop_back();
  }
  MR_RETURN_IF_ERROR(FinishEpoch());
  return Progress::kDone;
}

absl::Status ChangingOverOperator::FinishEpoch() {
  emitting_ = false;
  next_ = 0;
  touched_.clear();
  old_rows_.clear();
  if (at_checkpoint_ && context_->state != nullptr) {
    StateEntries entries;
    rows_.AppendEntries(context_->state->num_shards(), &entries);
    if (!entries.empty()) {
      MR_RETURN_IF_ERROR(context_->state->Write(context_->node_id, std::move(entries)));
    }
  }
  at_checkpoint_ = false;
  MR_RETURN_IF_ERROR(rows_.LoadMore());
  FlatVector<uint32_t> new_rows;
  rows_.Compact(&new_rows);
  context_->counters->state_rows = static_cast<uint64_t>(rows_.num_rows());
  return memory_->Update(rows_.bytes());
}

absl::StatusOr<Progress> ChangingOverOperator::ProcessBarrier(const Barrier& barrier,
                                                              Emitter& out) {
  at_checkpoint_ = barrier.checkpoint || barrier.final;
  emitting_ = true;
  return EmitChanges(out);
}

absl::StatusOr<Progress> ChangingOverOperator::ProcessEnd(InputIndex, Emitter& out) {
  emitting_ = true;
  return EmitChanges(out);
}

absl::StatusOr<Progress> ChangingOverOperator::ProcessWatermark(Watermark, Emitter&) {
  return Progress::kDone;
}

absl::StatusOr<Progress> ChangingOverOperator::Resume(Emitter& out) {
  return emitting_ ? EmitChanges(out) : Progress::kDone;
}

absl::Status ChangingOverOperator::Close() {
  memory_.reset();
  return absl::OkStatus();
}

}  // namespace millrace
