#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "arrow/type_fwd.h"
#include "worker/operators/streaming/event_time_over_plan.h"
#include "worker/operators/streaming/over_slice.h"

namespace millrace {

// One call of an OVER in event time. Sees the rows of every partition slice by slice, in order;
// what it must know of earlier rows beyond the history in the slice it keeps itself, by key of the
// partition. Not thread-safe.
class OverFunction {
 public:
  virtual ~OverFunction() = default;
  // Makes room for keys up to num_keys − 1; new ones have seen no row.
  virtual void Resize(uint32_t num_keys) = 0;
  // The call's values for the new rows, in their order.
  virtual absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) = 0;
  // Appends the state of keys[i] to (*values)[i].
  virtual absl::Status AppendState(absl::Span<const uint32_t> keys,
                                   std::vector<std::string>* values) const = 0;
  // Takes what AppendState wrote off the front of (*values)[i]. Every key once, in order of their
  // numbers.
  virtual absl::Status RestoreState(absl::Span<const uint32_t> keys,
                                    std::vector<std::string_view>* values) = 0;
  virtual int64_t bytes() const = 0;
};

// Base of calls to which the slice tells all.
class StatelessOverFunction : public OverFunction {
 public:
  void Resize(uint32_t) final {}
  absl::Status AppendState(absl::Span<const uint32_t>, std::vector<std::string>*) const final {
    return absl::OkStatus();
  }
  absl::Status RestoreState(absl::Span<const uint32_t>, std::vector<std::string_view>*) final {
    return absl::OkStatus();
  }
  int64_t bytes() const final { return 0; }
};

// 0A000 for calls that need more of the past than a stream keeps.
absl::StatusOr<std::unique_ptr<OverFunction>> MakeOverFunction(const OverCallPlan& call);

// The families behind MakeOverFunction.
std::unique_ptr<OverFunction> MakePositionFunction(const OverCallPlan& call);
std::unique_ptr<OverFunction> MakeExactSumFunction(const OverCallPlan& call);
std::unique_ptr<OverFunction> MakeFloatSumFunction(const OverCallPlan& call);
absl::StatusOr<std::unique_ptr<OverFunction>> MakeMinMaxFunction(const OverCallPlan& call);
absl::StatusOr<std::unique_ptr<OverFunction>> MakeFrameAggregate(const OverCallPlan& call);
absl::StatusOr<std::unique_ptr<OverFunction>> MakeRunningAggregate(const OverCallPlan& call);

// The accumulator behind an aggregate over rows that are only added.
struct AccumulatorSpec;
AccumulatorSpec SpecOf(const OverCallPlan& call);

absl::Status CorruptOverState();

}  // namespace millrace
