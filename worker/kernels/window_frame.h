#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "common/types/sql_type.h"
#include "common/types/value.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/flat_vector.h"

namespace millrace {

enum class FrameUnit { kRows, kRange, kGroups };
enum class BoundKind {
  kUnboundedPreceding,
  kPreceding,
  kCurrentRow,
  kFollowing,
  kUnboundedFollowing
};

// One end of a window frame. The distance counts rows or peer groups, or is a value of the order
// key's type (an interval for dates and timestamps).
struct WindowBound {
  BoundKind kind = BoundKind::kCurrentRow;
  Value offset;
};

struct WindowFrame {
  FrameUnit unit = FrameUnit::kRange;
  WindowBound start{BoundKind::kUnboundedPreceding, {}};
  WindowBound end{BoundKind::kCurrentRow, {}};
};

// Whole partitions of rows in order, one behind the other. All positions are rows of this chunk.
struct WindowChunk {
  uint32_t num_rows = 0;
  // Of the partition / the rows of equal order keys that a row belongs to; ends are exclusive.
  FlatVector<uint32_t> partition_begin;
  FlatVector<uint32_t> partition_end;
  FlatVector<uint32_t> peers_begin;
  FlatVector<uint32_t> peers_end;

  // `is_new_partition` and `is_new_peer` say for each row whether it differs from the row before
  // it.
  static WindowChunk Of(const FlatVector<uint8_t>& is_new_partition,
                        const FlatVector<uint8_t>& is_new_peer);
};

// The first order key, which RANGE with a distance looks at.
struct WindowOrder {
  ColumnView key;
  SqlType type;
  bool descending = false;
};

// The frame of each row: rows [begin[i], end[i]). They go forward from row to row within a
// partition, but for distances in months.
struct FrameRows {
  FlatVector<uint32_t> begin;
  FlatVector<uint32_t> end;
};

// `order` may be null unless the frame is a RANGE with a distance. 22013-like errors (negative
// distances) are 22023.
absl::Status ComputeFrames(const WindowFrame& frame, const WindowChunk& chunk,
                           const WindowOrder* order, FrameRows* frames);

}  // namespace millrace
