#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/expr/expr.h"
#include "common/types/batch.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/distinct_rows.h"

namespace millrace {

// What the input of an aggregation may do.
struct AggregateInput {
  // Rows may be taken back.
  bool changing = false;
  // The aggregation lives on and writes its state.
  bool streaming = false;
};

// All aggregates of an aggregation: FILTER and DISTINCT in front of one accumulator for each call.
// Groups are numbered by a GroupTable; Resize must follow its growth before Update.
class AggregateSet {
 public:
  using Columns = std::vector<std::shared_ptr<arrow::Array>>;

  // arg_types[i]: types of calls[i]'s arguments before any partial phase.
  static absl::StatusOr<std::unique_ptr<AggregateSet>> Create(
      std::vector<AggregateCall> calls, std::vector<std::vector<SqlType>> arg_types,
      AggregateInput input);

  void Resize(uint32_t num_groups);
  // Adds (or takes back, by weight) the rows of a batch; groups[i] is the group of row i.
  absl::Status Update(const Batch& batch, const uint32_t* groups);
  // Adds rows of accumulator columns, which begin at `first_column` of the batch.
  absl::Status Merge(const Batch& batch, int first_column, const uint32_t* groups);
  // Appends the accumulator columns / results of some groups. Accumulators that keep their values
  // one by one have no accumulator columns.
  absl::Status Partial(absl::Span<const uint32_t> groups, Columns* columns) const;
  absl::Status Results(absl::Span<const uint32_t> groups, Columns* columns) const;
  // survivors[i] (ascending) becomes group i.
  void Retain(absl::Span<const uint32_t> survivors);
  // Forgets all groups.
  void Clear() { Retain({}); }
  int64_t bytes() const;

  // Types of what Partial appends.
  std::vector<SqlType> PartialTypes() const;
  int num_calls() const { return static_cast<int>(slots_.size()); }

  // Values that are stored one by one, per call (see Accumulator::TakeChangedDetails).
  using DetailVisitor = absl::FunctionRef<void(int call, const AccumulatorDetail& detail)>;
  void TakeChangedDetails(DetailVisitor visit);
  absl::Status RestoreDetails(int call, absl::Span<const AccumulatorDetail> details);
  // Some call stores its values one by one.
  bool has_details() const;

 private:
  struct Slot {
    AggregateCall call;
    // Of what Partial appends; empty for accumulators that keep their values one by one.
    std::vector<SqlType> partial_types;
    std::unique_ptr<Accumulator> accumulator;
    // Null without DISTINCT.
    std::unique_ptr<DistinctRows> distinct;
  };
  AggregateSet() = default;
  absl::Status UpdateSlot(Slot& slot, const Batch& batch, const uint32_t* groups);

  std::vector<Slot> slots_;
  uint32_t num_groups_ = 0;
  FlatVector<int32_t> filtered_;
  FlatVector<int32_t> present_;
};

}  // namespace millrace
