#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/kernels/accumulator.h"
#include "worker/kernels/row_codec.h"
#include "worker/operators/streaming/event_time_over_plan.h"

namespace millrace {

// An accumulator by key of the partition, whose groups can be written and read back: as its
// accumulator columns, behind their length.
class StoredAccumulator {
 public:
  // 0A000 for aggregates that have no accumulator columns.
  static absl::StatusOr<StoredAccumulator> Create(const OverCallPlan& call);

  Accumulator& accumulator() { return *accumulator_; }
  const Accumulator& accumulator() const { return *accumulator_; }

  absl::Status AppendState(absl::Span<const uint32_t> keys, std::vector<std::string>* values) const;
  absl::Status RestoreState(absl::Span<const uint32_t> keys, std::vector<std::string_view>* values);

 private:
  StoredAccumulator(std::unique_ptr<Accumulator> accumulator, std::vector<SqlType> types)
      : accumulator_(std::move(accumulator)), codec_(std::move(types), CodecUse::kStorage) {}

  std::unique_ptr<Accumulator> accumulator_;
  RowCodec codec_;
};

}  // namespace millrace
