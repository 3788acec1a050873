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

}  // namespace

ViewSinkOperator::ViewSinkOperator(ObjectId view, std::vector<SqlType> types,
                                   std::vector<int> key_columns, std::vector<int> shard_columns)
    : view_(view),
      types_(std::move(types)),
      key_columns_(std::move(key_columns)),
      shard_columns_(std::move(shard_columns)),
      all_columns_(AllColumns(types_.size())),
      row_codec_(types_, CodecUse::kStorage),
      key_codec_(key_columns_.empty() ? types_ : TypesOf(types_, key_columns_), CodecUse::kKey),
      epoch_changes_(types_),
      changes_since_checkpoint_(types_) {}

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
  return absl::WrapUnique<Operator>(new ViewSinkOperator(
      ObjectId(sink.object_id()), std::move(types), std::move(keys), std::move(shards)));
}

absl::Status ViewSinkOperator::Open(OperatorContext& context) {
  MR_CHECK(context.views != nullptr && context.state != nullptr);
  context_ = &context;
  memory_.emplace(*context.memory, "view");
  part_ = ViewPart{view_, context.job, context.attempt, context.task_index};
  if (context.restored_epoch.value() == 0) return context.views->Open(part_, types_, Epoch(0));
  MR_RETURN_IF_ERROR(context.views->OpenLoading(part_, types_, context.restored_epoch));
  stored_ = context.state->Read(context.node_id);
  return absl::OkStatus();
}

void ViewSinkOperator::StartLoading() {
  if (stored_ == nullptr) return;
  loading_ = std::make_unique<ViewLoading>(StoredViewRows{part_, types_, !key_columns_.empty()},
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
  epoch_changes_.Add(batch);
  context_->counters->rows_touched += static_cast<uint64_t>(batch.num_rows());
  MR_RETURN_IF_ERROR(UpdateMemory());
  return Progress::kDone;
}

absl::Status ViewSinkOperator::UpdateMemory() {
  return memory_->Update(view_bytes_ + epoch_changes_.bytes() + changes_since_checkpoint_.bytes());
}

absl::StatusOr<Progress> ViewSinkOperator::ProcessWatermark(Watermark, Emitter&) {
  return Progress::kDone;
}

absl::StatusOr<Progress> ViewSinkOperator::ProcessBarrier(const Barrier& barrier, Emitter& out) {
  if (loading_ != nullptr && loading_->done()) MR_RETURN_IF_ERROR(TakeLoaded());
  std::vector<Batch> changes = epoch_changes_.WeightedRows();
  for (const Batch& batch : changes) {
    changes_since_checkpoint_.Add(batch);
    context_->counters->view_rows_changed += static_cast<uint64_t>(batch.num_rows());
    const int64_t* weights = batch.raw_weights();
    stored_rows_ = std::accumulate(weights, weights + batch.num_rows(), stored_rows_);
  }
  context_->counters->state_rows = static_cast<uint64_t>(std::max<int64_t>(stored_rows_, 0));
  epoch_changes_ = RowMultiset(types_);
  MR_RETURN_IF_ERROR(context_->views->Seal(part_, Epoch(barrier.epoch), std::move(changes)));
  if (barrier.checkpoint || barrier.final) MR_RETURN_IF_ERROR(WriteState());
  view_bytes_ = context_->views->bytes(part_);
  MR_RETURN_IF_ERROR(UpdateMemory());
  // Not before the first new rows: they come sooner when nothing else is done meanwhile.
  StartLoading();
  // The state goes with the job's end; the rows stay.
  return barrier.final ? Resume(out) : Progress::kDone;
}

void ViewSinkOperator::AppendEntries(const Batch& rows, bool additions,
                                     std::vector<StateEntry>* entries) {
  const bool keyed = !key_columns_.empty();
  if (shard_columns_.empty()) {
    hashes_.assign(static_cast<size_t>(rows.num_rows()), 0);
  } else {
    HashRows(rows, shard_columns_, &hashes_);
  }
  // Unkeyed: the row itself is the key, every bit of it.
  row_codec_.Encode(rows, all_columns_, &encoded_rows_);
  if (keyed) key_codec_.Encode(rows, key_columns_, &encoded_keys_);
  const int64_t* weights = rows.raw_weights();
  const uint32_t num_shards = context_->state->num_shards();
  for (int64_t i = 0; i < rows.num_rows(); ++i) {
    if ((weights[i] > 0) != additions) continue;
    StateEntry entry;
    entry.shard = shard_columns_.empty() ? 0 : ShardOf(hashes_[i], num_shards);
    entry.key = std::string(keyed ? encoded_keys_.row(i) : encoded_rows_.row(i));
    if (!keyed) {
      entry.add = weights[i];
    } else if (additions) {
      entry.value = std::string(encoded_rows_.row(i));
    }
    entries->push_back(std::move(entry));
  }
}

absl::Status ViewSinkOperator::WriteState() {
  const std::vector<Batch> changes = changes_since_checkpoint_.WeightedRows();
  // A key whose row changed has a removal and an addition: the removal must come first.
  for (const bool additions : {false, true}) {
    std::vector<StateEntry> entries;
    for (const Batch& batch : changes) AppendEntries(batch, additions, &entries);
    if (entries.empty()) continue;
    MR_RETURN_IF_ERROR(context_->state->Write(context_->node_id, std::move(entries)));
  }
  changes_since_checkpoint_ = RowMultiset(types_);
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
