#pragma once

#include <cstdint>
#include <vector>

#include "common/types/batch.h"
#include "worker/kernels/flat_vector.h"
#include "worker/operators/streaming/event_time_over_plan.h"

namespace millrace {

// The time of a row that has none; such rows come last.
inline constexpr int64_t kNoTime = INT64_MAX;

// Rows of one partition, in order. Positions are those of OverSlice::rows.
struct OverSegment {
  uint32_t key = 0;
  // [begin, first): rows that were given out before; [first, end): the new ones.
  int32_t begin = 0;
  int32_t first = 0;
  int32_t end = 0;
  // Rows and peer groups of the partition that were given out before, whether they are still here
  // or not.
  int64_t rows_before = 0;
  int64_t peers_before = 0;
};

// Rows that are given out together, partition by partition, behind those earlier ones that their
// frames reach. The peers of a new row are all in the slice, and all new.
struct OverSlice {
  // The history columns only.
  Batch rows;
  std::vector<OverSegment> segments;
  int64_t num_new = 0;
  // By position.
  FlatVector<int64_t> times;
  // By number of the new row: it has no peer before it.
  FlatVector<uint8_t> starts_peers;
};

// For each new row the positions [begin, end) of its frame. For frames from the partition's first
// row, `begin` is where the segment's rows begin that running values do not hold yet; they hold
// them up to the `end` of the segment's last row afterwards.
struct OverFrames {
  FlatVector<int32_t> begin;
  FlatVector<int32_t> end;
};

void ComputeFrames(const OverSlice& slice, const OverFrameSpec& spec, OverFrames* frames);

}  // namespace millrace
