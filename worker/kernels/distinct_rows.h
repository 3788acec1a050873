#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/group_table.h"
#include "worker/kernels/row_codec.h"

namespace millrace {

// A value of a group with its multiplicity, as an aggregate that keeps values stores it.
struct AccumulatorDetail {
  uint32_t group = 0;
  std::string_view value;
  int64_t count = 0;
};

// Lets every value of a group through once: the DISTINCT of an aggregate. Where rows may be taken
// back it counts them, and passes on that a value appeared (+1) or vanished (−1).
class DistinctRows {
 public:
  DistinctRows(std::vector<SqlType> arg_types, bool counted);

  // Reduces `rows` to those that matter; the lists in the result live until the next call.
  AccumulatorRows Filter(const Batch& batch, absl::Span<const int> args,
                         const AccumulatorRows& rows);
  void Retain(absl::Span<const uint32_t> survivors, uint32_t num_groups);
  int64_t bytes() const { return table_.bytes() + counts_.bytes() + is_changed_.bytes(); }

  void TakeChanged(Accumulator::DetailVisitor visit);
  absl::Status Restore(absl::Span<const AccumulatorDetail> details);

 private:
  void Rebuild(absl::Span<const uint32_t> entries, const FlatVector<uint32_t>& new_groups);
  void MarkChanged(uint32_t entry);
  // Columns 1 … of the table's keys.
  std::vector<int> ValueColumns() const;

  const std::vector<SqlType> arg_types_;
  const bool counted_;
  RowCodec codec_;
  // (group, arguments) → entry.
  GroupTable table_;
  // By entry, if counted.
  FlatVector<int64_t> counts_;
  FlatVector<uint8_t> is_changed_;
  FlatVector<uint32_t> changed_;
  // The result of Filter.
  FlatVector<int32_t> selected_;
  FlatVector<int64_t> weights_;
  FlatVector<uint32_t> entries_;
};

}  // namespace millrace
