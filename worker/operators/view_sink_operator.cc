#include "worker/operators/view_sink_operator.h"

#include <arrow/array.h>
#include <arrow/buffer.h>

#include <algorithm>
#include <numeric>

#include "absl/memory/memory.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

std::vector<SqlType> TypesOf(const std::vector<SqlType>& types, const std::vector<int>& columns) {
  std::vector<SqlType> chosen;
  for (const int column : columns) chosen.push_back(types[column]);
  return chosen;
}

std::vector<int> AllColumns(size_t count) {
  std::vector<int> columns(count);
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

// True if an epoch of the node's output has each row once at most: an aggregation gives out what
// has changed at the barrier only, unless watermarks end its windows.
bool GivesEachRowOnce(const v1::PlanNode& node) {
  if (!node.has_hash_aggregate()) return false;
  const v1::HashAggregateNode& aggregate = node.hash_aggregate();
  return aggregate.emit() == v1::EMIT_MODE_CHANGES && !aggregate.has_window_end_key();
}

}  // namespace

ViewSinkOperator::ViewSinkOperator(ObjectId view, ViewColumns columns,
                                   std::vector<int> shard_columns, Input input)
    : view_(view),
      columns_(std::move(columns)),
      shard_columns_(std::move(shard_columns)),
      input_(input),
      all_columns_(AllColumns(columns_.types.size())),
      row_codec_(columns_.types, CodecUse::kStorage),
      key_codec_(columns_.key.empty() ? columns_.types : TypesOf(columns_.types, columns_.key),
                 CodecUse::kKey),
      epoch_changes_(columns_.types),
      changes_since_checkpoint_(columns_) {}

absl::StatusOr<std::unique_ptr<Operator>> ViewSinkOperator::Create(const v1::PlanNode& node) {
  const v1::ViewSinkNode& sink = node.view_sink();
  if (node.inputs_size() != 1) return InternalError("a view sink needs one input");
  std::vector<SqlType> types;
  for (const v1::Field& field : node.inputs(0).output()) types.push_back(FromProto(field.type()));
  std::vector<int> keys(sink.key_columns().begin(), sink.key_columns().end());
  std::vector<int> shards(sink.shard_columns().begin(), sink.shard_columns().end());
  for (const auto& columns : {keys, shards}) {
    for (const int column : columns) {
      if (column < 0 || column >= static_cast<int>(types.size())) {
        return InternalError("a view sink's key is not among its columns");
      }
    }
  }
  const Input input = GivesEachRowOnce(node.inputs(0)) ? Input::kEachRowOnce : Input::kChanges;
  return absl::WrapUnique<Operator>(new ViewSinkOperator(
      ObjectId(sink.object_id()), {std::move(types), std::move(keys)}, std::move(shards), input));
}

absl::Status ViewSinkOperator::Open(OperatorContext& context) {
  MR_CHECK(context.views != nullptr && context.state != nullptr);
  context_ = &context;
  memory_.emplace(*context.memory, "view");
  part_ = ViewPart{view_, context.job, context.attempt, context.task_index};
  if (context.restored_epoch.value() == 0) return context.views->Open(part_, columns_, Epoch(0));
  MR_RETURN_IF_ERROR(context.views->OpenLoading(part_, columns_, context.restored_epoch));
  stored_ = context.state->Read(context.node_id);
  return absl::OkStatus();
}

void ViewSinkOperator::StartLoading() {
  if (stored_ == nullptr) return;
  loading_ =
      std::make_unique<ViewLoading>(StoredViewRows{part_, columns_.types, !columns_.key.empty()},
                                    std::move(stored_), *context_->views, context_->wake);
}

absl::Status ViewSinkOperator::TakeLoaded() {
  MR_RETURN_IF_ERROR(loading_->status());
  stored_rows_ += loading_->num_rows();
  loading_.reset();
  view_bytes_ = context_->views->bytes(part_);
  return UpdateMemory();
}

absl::StatusOr<Progress> ViewSinkOperator::ProcessBatch(InputIndex, Batch batch, Emitter&) {
  context_->counters->rows_touched += static_cast<uint64_t>(batch.num_rows());
  if (input_ == Input::kEachRowOnce) {
    epoch_batch_bytes_ += batch.ByteSize();
    epoch_batches_.push_back(std::move(batch));
  } else {
    epoch_changes_.Add(batch);
  }
  MR_RETURN_IF_ERROR(UpdateMemory());
  return Progress::kDone;
}

absl::Status ViewSinkOperator::UpdateMemory() {
  return memory_->Update(view_bytes_ + epoch_changes_.bytes() + epoch_batch_bytes_ +
                         changes_since_checkpoint_.bytes());
}

absl::StatusOr<Progress> ViewSinkOperator::ProcessWatermark(Watermark, Emitter&) {
  return Progress::kDone;
}

absl::StatusOr<Progress> ViewSinkOperator::ProcessBarrier(const Barrier& barrier, Emitter& out) {
  if (loading_ != nullptr && loading_->done()) MR_RETURN_IF_ERROR(TakeLoaded());
  std::vector<Batch> changes = TakeEpochChanges();
  changes_since_checkpoint_.Add(changes);
  for (const Batch& batch : changes) {
    context_->counters->view_rows_changed += static_cast<uint64_t>(batch.num_rows());
    const int64_t* weights = batch.raw_weights();
    stored_rows_ = weights == nullptr
                       ? stored_rows_ + batch.num_rows()
                       : std::accumulate(weights, weights + batch.num_rows(), stored_rows_);
  }
  context_->counters->state_rows = static_cast<uint64_t>(std::max<int64_t>(stored_rows_, 0));
  MR_RETURN_IF_ERROR(context_->views->Seal(part_, Epoch(barrier.epoch), std::move(changes)));
  if (barrier.checkpoint || barrier.final) MR_RETURN_IF_ERROR(WriteState());
  view_bytes_ = context_->views->bytes(part_);
  MR_RETURN_IF_ERROR(UpdateMemory());
  // Not before the first new rows: they come sooner when nothing else is done meanwhile.
  StartLoading();
  // The state goes with the job's end; the rows stay.
  return barrier.final ? Resume(out) : Progress::kDone;
}

std::vector<Batch> ViewSinkOperator::TakeEpochChanges() {
  if (input_ == Input::kEachRowOnce) {
    epoch_batch_bytes_ = 0;
    return std::exchange(epoch_batches_, {});
  }
  return std::exchange(epoch_changes_, RowMultiset(columns_.types)).WeightedRows();
}

void ViewSinkOperator::AppendEntries(const Batch& rows, StateEntries* entries) {
  if (shard_columns_.empty()) {
    hashes_.assign(static_cast<size_t>(rows.num_rows()), 0);
  } else {
    HashRows(rows, shard_columns_, &hashes_);
  }
  row_codec_.Encode(rows, all_columns_, &encoded_rows_);
  const int64_t* weights = rows.raw_weights();
  const uint32_t num_shards = context_->state->num_shards();
  const auto shard_of = [&](int64_t row) {
    return shard_columns_.empty() ? 0 : ShardOf(hashes_[row], num_shards);
  };
  if (columns_.key.empty()) {
    // The row itself is the key, every bit of it.
    for (int64_t i = 0; i < rows.num_rows(); ++i) {
      entries->Add(shard_of(i), {encoded_rows_.row(i)}, weights[i]);
    }
    return;
  }
  key_codec_.Encode(rows, columns_.key, &encoded_keys_);
  for (int64_t i = 0; i < rows.num_rows(); ++i) {
    if (weights[i] > 0) {
      entries->Put(shard_of(i), {encoded_keys_.row(i)}, {encoded_rows_.row(i)});
    } else {
      entries->Delete(shard_of(i), {encoded_keys_.row(i)});
    }
  }
}

absl::Status ViewSinkOperator::WriteState() {
  StateEntries entries;
  for (const Batch& batch : changes_since_checkpoint_.Changes()) AppendEntries(batch, &entries);
  if (!entries.empty()) {
    MR_RETURN_IF_ERROR(context_->state->Write(context_->node_id, std::move(entries)));
  }
  changes_since_checkpoint_ = FoldedChanges(columns_);
  return absl::OkStatus();
}

absl::StatusOr<Progress> ViewSinkOperator::ProcessEnd(InputIndex, Emitter&) {
  return Progress::kDone;
}

absl::StatusOr<Progress> ViewSinkOperator::Resume(Emitter&) {
  if (loading_ == nullptr) return Progress::kDone;
  if (!loading_->done()) return Progress::kWaiting;
  MR_RETURN_IF_ERROR(TakeLoaded());
  return Progress::kDone;
}

absl::Status ViewSinkOperator::Close() {
  stored_.reset();
  loading_.reset();
  memory_.reset();
  return absl::OkStatus();
}

}  // namespace millrace
