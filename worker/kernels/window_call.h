#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "arrow/type_fwd.h"
#include "common/expr/expr.h"
#include "common/types/batch.h"
#include "worker/kernels/window_frame.h"

namespace millrace {

// A function over a window. Columns are those of the rows that it is evaluated over.
struct WindowCall {
  enum class Kind {
    kAggregate,
    kRowNumber,
    kRank,
    kDenseRank,
    kPercentRank,
    kCumeDist,
    kNtile,
    // Arguments: value, and if given distance and default.
    kLag,
    kLead,
    kFirstValue,
    kLastValue,
    // Arguments: value, position from 1.
    kNthValue,
  };
  Kind kind = Kind::kRowNumber;
  // kAggregate only.
  AggregateCall aggregate;
  std::vector<int> args;
  std::vector<SqlType> arg_types;
  WindowFrame frame;
  SqlType type;
};

// The values of a call for all rows of a chunk. `order` may be null if there is no order key.
absl::StatusOr<std::shared_ptr<arrow::Array>> EvaluateWindowCall(const WindowCall& call,
                                                                 const Batch& rows,
                                                                 const WindowChunk& chunk,
                                                                 const WindowOrder* order);

// `values` of `type` at the rows `from`; kNoRow gives NULL. Text that would be much, because many
// rows take the same, is given as a dictionary.
std::shared_ptr<arrow::Array> TakeValues(const std::shared_ptr<arrow::Array>& values,
                                         const SqlType& type, absl::Span<const uint32_t> from);

// The part of it that aggregates over frames.
absl::StatusOr<std::shared_ptr<arrow::Array>> AggregateFrames(const WindowCall& call,
                                                              const Batch& rows,
                                                              const FrameRows& frames);
}  // namespace millrace
