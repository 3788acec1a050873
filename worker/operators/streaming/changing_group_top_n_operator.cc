#include "worker/operators/streaming/changing_group_top_n_operator.h"

#include <algorithm>

#include "absl/memory/memory.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/evaluator.h"
#include "millrace/v1/plan.pb.h"
#include "worker/kernels/array_output.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

// Rows of a partition beyond twice the limit before those behind the n-th are looked for.
constexpr uint64_t kSpareRows = 64;

std::vector<SqlType> TypesOfSchema(const Schema& schema) {
  std::vector<SqlType> types;
  for (const Field& field : schema) types.push_back(field.type);
  return types;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> ChangingGroupTopNOperator::Create(
    const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  const v1::GroupTopNNode& top_n = node.group_top_n();
  Plan plan;
  plan.input = InputSchema(node, 0);
  plan.partition_columns = ColumnsOf(top_n.partition_keys());
  MR_ASSIGN_OR_RETURN(plan.order_keys, SortKeysOf(top_n.order_keys()));
  plan.limit = top_n.limit();
  plan.with_number = top_n.with_number();
  plan.changing_input = node.inputs(0).changing();
  plan.changing_output = node.changing();
  return absl::WrapUnique<Operator>(new ChangingGroupTopNOperator(std::move(plan)));
}

ChangingGroupTopNOperator::ChangingGroupTopNOperator(Plan plan)
    : plan_(std::move(plan)), rows_(TypesOfSchema(plan_.input), plan_.partition_columns) {}

absl::Status ChangingGroupTopNOperator::Open(OperatorContext& context) {
  context_ = &context;
  memory_.emplace(*context.memory, "top-n");
  MR_ASSIGN_OR_RETURN(key_reader_,
                      SortKeyReader::Create({}, plan_.order_keys, plan_.input, context.eval));
  if (context.state == nullptr) return absl::OkStatus();
  MR_RETURN_IF_ERROR(rows_.Restore(*context.state, context.node_id, *key_reader_));
  return memory_->Update(rows_.bytes());
}

void ChangingGroupTopNOperator::SelectRows(const Batch& batch, std::vector<int32_t>* selected) {
  for (int64_t i = 0; i < batch.num_rows(); ++i) {
    const uint32_t threshold = thresholds_[partitions_[i]];
    // Rows of equal keys are told apart later.
    if (threshold != kNoRow && key_reader_->keys().row(i) > rows_.key(threshold)) continue;
    selected->push_back(static_cast<int32_t>(i));
  }
}

absl::StatusOr<Progress> ChangingGroupTopNOperator::ProcessBatch(InputIndex, Batch input,
                                                                 Emitter&) {
  if (plan_.limit == 0 || input.num_rows() == 0) return Progress::kDone;
  MR_RETURN_IF_ERROR(rows_.LoadFor(input));
  MR_RETURN_IF_ERROR(key_reader_->Read(input));
  rows_.FindPartitions(input, &partitions_);
  thresholds_.Resize(rows_.num_partitions(), kNoRow);
  is_touched_.Resize(rows_.num_partitions(), 0);
  std::vector<int32_t> selected;
  SelectRows(input, &selected);
  if (selected.empty()) return Progress::kDone;
  Batch batch = input;
  const auto n = static_cast<int64_t>(selected.size());
  if (n < input.num_rows()) {
    MR_ASSIGN_OR_RETURN(batch, TakeRows(input, selected.data(), n));
    for (int64_t i = 0; i < n; ++i) partitions_[i] = partitions_[selected[i]];
  }
  context_->counters->rows_touched += static_cast<uint64_t>(n);
  // Before any change: what the partitions' first rows are.
  for (int64_t i = 0; i < n; ++i) Touch(partitions_[i]);
  std::vector<uint32_t> stored;
  rows_.FindRows(batch, partitions_, key_reader_->keys(), selected, &stored);
  const int64_t* weights = batch.raw_weights();
  const uint64_t rows_max =
      plan_.limit < UINT64_MAX / 4 ? 2 * plan_.limit + kSpareRows : UINT64_MAX;
  for (int64_t i = 0; i < n; ++i) {
    rows_.Change(stored[i], weights == nullptr ? 1 : weights[i]);
    if (plan_.changing_input || rows_.num_rows_in(partitions_[i]) <= rows_max) continue;
    top_.clear();
    rows_.AppendTop(partitions_[i], plan_.limit, &top_);
    Prune(partitions_[i], top_);
  }
  const auto scratch = static_cast<int64_t>(old_tops_.capacity() * sizeof(Entry) +
                                            touched_.capacity() * sizeof(Touched));
  MR_RETURN_IF_ERROR(memory_->Update(rows_.bytes() + scratch));
  return Progress::kDone;
}

void ChangingGroupTopNOperator::Touch(uint32_t partition) {
  if (is_touched_[partition] != 0) return;
  is_touched_[partition] = 1;
  const size_t begin = old_tops_.size();
  rows_.AppendTop(partition, plan_.limit, &old_tops_);
  touched_.push_back({partition, begin, old_tops_.size()});
}

void ChangingGroupTopNOperator::Prune(uint32_t partition, absl::Span<const Entry> top) {
  uint64_t count = 0;
  for (const Entry& entry : top) count += static_cast<uint64_t>(entry.count);
  if (count < plan_.limit || plan_.changing_input) return;
  thresholds_[partition] = top.back().row;
  rows_.DropBehind(partition, top.back().row);
}

void ChangingGroupTopNOperator::AddChange(uint32_t row, int64_t weight, int64_t number) {
  // Output that does not change has no weights: such a row comes out as often as it counts.
  const int64_t times = plan_.changing_output ? 1 : weight;
  for (int64_t i = 0; i < times; ++i) {
    changed_rows_.push_back(row);
    weights_.push_back(weight);
    numbers_.push_back(number);
  }
}

void ChangingGroupTopNOperator::CompareByRow(absl::Span<const Entry> before,
                                             absl::Span<const Entry> after) {
  size_t a = 0;
  size_t b = 0;
  while (a < before.size() || b < after.size()) {
    if (a < before.size() && b < after.size() && before[a].row == after[b].row) {
      const int64_t change = after[b].count - before[a].count;
      if (change != 0) AddChange(after[b].row, change, 0);
      ++a;
      ++b;
    } else if (b == after.size() ||
               (a < before.size() && rows_.Less(before[a].row, after[b].row))) {
      AddChange(before[a].row, -before[a].count, 0);
      ++a;
    } else {
      AddChange(after[b].row, after[b].count, 0);
      ++b;
    }
  }
}

void ChangingGroupTopNOperator::CompareByNumber(absl::Span<const Entry> before,
                                                absl::Span<const Entry> after) {
  size_t a = 0;
  size_t b = 0;
  int64_t a_end = before.empty() ? 0 : before[0].count;
  int64_t b_end = after.empty() ? 0 : after[0].count;
  for (int64_t number = 1; a < before.size() || b < after.size(); ++number) {
    const bool was = a < before.size();
    const bool is = b < after.size();
    if (!was || !is || before[a].row != after[b].row) {
      if (was) AddChange(before[a].row, -1, number);
      if (is) AddChange(after[b].row, 1, number);
    }
    if (was && number == a_end && ++a < before.size()) a_end += before[a].count;
    if (is && number == b_end && ++b < after.size()) b_end += after[b].count;
  }
}

void ChangingGroupTopNOperator::CollectChanges() {
  changed_rows_.clear();
  weights_.clear();
  numbers_.clear();
  next_ = 0;
  for (const Touched& touched : touched_) {
    top_.clear();
    rows_.AppendTop(touched.partition, plan_.limit, &top_);
    const absl::Span<const Entry> before(old_tops_.data() + touched.old_begin,
                                         touched.old_end - touched.old_begin);
    context_->counters->rows_touched += before.size() + top_.size();
    if (plan_.with_number) {
      CompareByNumber(before, top_);
    } else {
      CompareByRow(before, top_);
    }
    Prune(touched.partition, top_);
    is_touched_[touched.partition] = 0;
  }
  touched_.clear();
  old_tops_.clear();
}

absl::StatusOr<Progress> ChangingGroupTopNOperator::EmitChanges(Emitter& out) {
  while (next_ < changed_rows_.size()) {
    if (out.full()) return Progress::kMore;
    const size_t n = std::min(changed_rows_.size() - next_, static_cast<size_t>(kTargetBatchRows));
    Batch rows = rows_.rows().GatherRows(absl::MakeConstSpan(changed_rows_).subspan(next_, n));
    if (plan_.with_number) {
      FlatVector<int64_t> numbers;
      numbers.Append(numbers_.data() + next_, static_cast<int64_t>(n));
      auto columns = rows.columns();
      columns.push_back(MakeInt64Array(std::move(numbers)));
      rows = Batch(std::move(columns), static_cast<int64_t>(n));
    }
    if (plan_.changing_output) {
      FlatVector<int64_t> weights;
      weights.Append(weights_.data() + next_, static_cast<int64_t>(n));
      rows = rows.WithWeights(MakeInt64Array(std::move(weights)));
    }
    next_ += n;
    out.Emit(std::move(rows));
  }
  MR_RETURN_IF_ERROR(FinishEpoch());
  return Progress::kDone;
}

absl::Status ChangingGroupTopNOperator::FinishEpoch() {
  emitting_ = false;
  if (at_checkpoint_ && context_->state != nullptr) {
    StateEntries entries;
    rows_.AppendEntries(context_->state->num_shards(), &entries);
    if (!entries.empty()) {
      MR_RETURN_IF_ERROR(context_->state->Write(context_->node_id, std::move(entries)));
    }
  }
  at_checkpoint_ = false;
  MR_RETURN_IF_ERROR(rows_.LoadMore());
  changed_rows_.clear();
  FlatVector<uint32_t> new_rows;
  if (rows_.Compact(&new_rows)) {
    for (uint32_t& row : thresholds_) row = row == kNoRow ? kNoRow : new_rows[row];
  }
  context_->counters->state_rows = static_cast<uint64_t>(rows_.num_rows());
  return memory_->Update(rows_.bytes());
}

absl::StatusOr<Progress> ChangingGroupTopNOperator::ProcessBarrier(const Barrier& barrier,
                                                                   Emitter& out) {
  at_checkpoint_ = barrier.checkpoint || barrier.final;
  emitting_ = true;
  CollectChanges();
  return EmitChanges(out);
}

absl::StatusOr<Progress> ChangingGroupTopNOperator::ProcessEnd(InputIndex, Emitter& out) {
  emitting_ = true;
  CollectChanges();
  return EmitChanges(out);
}

absl::StatusOr<Progress> ChangingGroupTopNOperator::ProcessWatermark(Watermark, Emitter&) {
  return Progress::kDone;
}

absl::StatusOr<Progress> ChangingGroupTopNOperator::Resume(Emitter& out) {
  return emitting_ ? EmitChanges(out) : Progress::kDone;
}

absl::Status ChangingGroupTopNOperator::Close() {
  memory_.reset();
  return absl::OkStatus();
}

}  // namespace millrace
