#include "worker/kernels/aggregate_set.h"

#include <algorithm>

#include "arrow/array.h"
#include "common/base/status.h"
#include "common/plan/partial_columns.h"

namespace millrace {
namespace {

// Whether equal values must be kept away from the accumulator. min(DISTINCT x) is min(x), and
// string_agg knows its values.
bool NeedsDistinct(const AggregateCall& call) {
  switch (call.function) {
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
    case AggregateFunction::kBoolAnd:
    case AggregateFunction::kBoolOr:
    case AggregateFunction::kCountStar:
    case AggregateFunction::kStringAgg:
      return false;
    default:
      return call.distinct;
  }
}

bool KeepsValues(AggregateFunction function) {
  return function == AggregateFunction::kStringAgg || function == AggregateFunction::kSingleValue;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AggregateSet>> AggregateSet::Create(
    std::vector<AggregateCall> calls, std::vector<std::vector<SqlType>> arg_types,
    AggregateInput input) {
  if (arg_types.size() != calls.size()) return InternalError("aggregates and their types differ");
  std::unique_ptr<AggregateSet> set(new AggregateSet());
  for (size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].function != AggregateFunction::kCountStar && arg_types[i].empty()) {
      return InternalError("an aggregate lacks the type of its argument");
    }
    Slot slot;
    const bool distinct = NeedsDistinct(calls[i]);
    AccumulatorSpec spec;
    spec.function = calls[i].function;
    spec.arg_types = arg_types[i];
    spec.type = calls[i].type;
    spec.changing = input.changing;
    spec.distinct = calls[i].distinct;
    // Such values are written to the state one by one, for which their changes must be known.
    if (KeepsValues(calls[i].function)) spec.changing = input.changing || input.streaming;
    MR_ASSIGN_OR_RETURN(slot.accumulator, MakeAccumulator(spec));
    if (distinct) {
      const bool counted = input.changing || input.streaming;
      slot.distinct = std::make_unique<DistinctRows>(arg_types[i], counted);
    }
    if (!slot.accumulator->has_details()) {
      AggregateCall all_values = calls[i];
      all_values.distinct = false;
      slot.partial_types = PartialColumns(all_values, arg_types[i]);
    }
    slot.call = std::move(calls[i]);
    set->slots_.push_back(std::move(slot));
  }
  return set;
}

void AggregateSet::Resize(uint32_t num_groups) {
  if (num_groups <= num_groups_) return;
  num_groups_ = num_groups;
  for (Slot& slot : slots_) slot.accumulator->Resize(num_groups);
}

absl::Status AggregateSet::Update(const Batch& batch, const uint32_t* groups) {
  for (Slot& slot : slots_) MR_RETURN_IF_ERROR(UpdateSlot(slot, batch, groups));
  return absl::OkStatus();
}

absl::Status AggregateSet::UpdateSlot(Slot& slot, const Batch& batch, const uint32_t* groups) {
  AccumulatorRows rows;
  rows.num_rows = batch.num_rows();
  rows.groups = groups;
  rows.weights = batch.raw_weights();
  if (slot.call.filter.has_value()) {
    const ColumnView filter(*batch.column(*slot.call.filter));
    filtered_.ResizeUninitialized(batch.num_rows());
    int64_t kept = 0;
    for (int64_t i = 0; i < batch.num_rows(); ++i) {
      filtered_[kept] = static_cast<int32_t>(i);
      kept += !filter.IsNull(i) && filter.Bool(i) ? 1 : 0;
    }
    rows.selected = filtered_.data();
    rows.num_rows = kept;
  }
  std::vector<ColumnView> args;
  args.reserve(slot.call.args.size());
  for (const int arg : slot.call.args) args.emplace_back(*batch.column(arg));
  if (slot.distinct != nullptr) {
    rows = WithoutNulls(args[0], rows, &present_);
    rows = slot.distinct->Filter(batch, slot.call.args, rows);
  }
  return slot.accumulator->Update(args, rows);
}

absl::Status AggregateSet::Merge(const Batch& batch, int first_column, const uint32_t* groups) {
  AccumulatorRows rows;
  rows.num_rows = batch.num_rows();
  rows.groups = groups;
  int column = first_column;
  for (Slot& slot : slots_) {
    if (slot.accumulator->has_details()) continue;
    std::vector<ColumnView> views;
    for (size_t i = 0; i < slot.partial_types.size(); ++i) {
      views.emplace_back(*batch.column(column++));
    }
    MR_RETURN_IF_ERROR(slot.accumulator->Merge(views, rows));
  }
  return absl::OkStatus();
}

absl::Status AggregateSet::Partial(absl::Span<const uint32_t> groups, Columns* columns) const {
  for (const Slot& slot : slots_) {
    if (slot.accumulator->has_details()) continue;
    MR_RETURN_IF_ERROR(slot.accumulator->Partial(groups, columns));
  }
  return absl::OkStatus();
}

absl::Status AggregateSet::Results(absl::Span<const uint32_t> groups, Columns* columns) const {
  for (const Slot& slot : slots_) {
    MR_ASSIGN_OR_RETURN(auto column, slot.accumulator->Result(groups));
    columns->push_back(std::move(column));
  }
  return absl::OkStatus();
}

void AggregateSet::Retain(absl::Span<const uint32_t> survivors) {
  for (Slot& slot : slots_) {
    slot.accumulator->Retain(survivors);
    if (slot.distinct != nullptr) slot.distinct->Retain(survivors, num_groups_);
  }
  num_groups_ = static_cast<uint32_t>(survivors.size());
}

int64_t AggregateSet::bytes() const {
  int64_t total = 0;
  for (const Slot& slot : slots_) {
    total += slot.accumulator->bytes();
    if (slot.distinct != nullptr) total += slot.distinct->bytes();
  }
  return total;
}

std::vector<SqlType> AggregateSet::PartialTypes() const {
  std::vector<SqlType> types;
  for (const Slot& slot : slots_) {
    types.insert(types.end(), slot.partial_types.begin(), slot.partial_types.end());
  }
  return types;
}

void AggregateSet::TakeChangedDetails(DetailVisitor visit) {
  for (int i = 0; i < num_calls(); ++i) {
    const auto forward = [&](uint32_t group, std::string_view value, int64_t count) {
      visit(i, AccumulatorDetail{group, value, count});
    };
    // A call has one of the two at most: with both, the accumulator's values follow from the
    // distinct ones.
    if (slots_[i].distinct != nullptr) {
      slots_[i].distinct->TakeChanged(forward);
    } else if (slots_[i].accumulator->has_details()) {
      slots_[i].accumulator->TakeChangedDetails(forward);
    }
  }
}

bool AggregateSet::has_details() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.distinct != nullptr || slot.accumulator->has_details();
  });
}

absl::Status AggregateSet::RestoreDetails(int call, absl::Span<const AccumulatorDetail> details) {
  if (call < 0 || call >= num_calls()) {
    return MakeError(SqlState::kDataCorrupted, "stored state belongs to another plan");
  }
  Slot& slot = slots_[call];
  if (slot.distinct != nullptr) return slot.distinct->Restore(details);
  for (const AccumulatorDetail& detail : details) {
    slot.accumulator->RestoreDetail(detail.group, detail.value, detail.count);
  }
  return absl::OkStatus();
}

}  // namespace millrace
