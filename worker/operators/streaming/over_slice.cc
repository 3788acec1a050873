#include "worker/operators/streaming/over_slice.h"

#include <algorithm>

namespace millrace {
namespace {

// Time minus a distance, which must not wrap around.
int64_t Before(int64_t time, int64_t distance) {
  return time < INT64_MIN + distance ? INT64_MIN : time - distance;
}

void RowFrames(const OverSegment& segment, const OverFrameSpec& spec, OverFrames* frames) {
  const int64_t held_back = std::min(spec.end, segment.rows_before);
  const int64_t least = spec.start.has_value() ? segment.begin : segment.first - held_back;
  for (int64_t row = segment.first; row < segment.end; ++row) {
    const int64_t begin =
        spec.start.has_value() ? std::max(least, row - std::min(*spec.start, row)) : least;
    const int64_t end = std::max(begin, row - std::min(spec.end, row + 1) + 1);
    frames->begin.PushBack(static_cast<int32_t>(begin));
    frames->end.PushBack(static_cast<int32_t>(end));
  }
}

// `first_new`: number of the segment's first new row.
void TimeFrames(const OverSlice& slice, const OverSegment& segment, int64_t first_new,
                const OverFrameSpec& spec, OverFrames* frames) {
  int32_t by_start = segment.begin;
  int32_t by_end = segment.begin;
  for (int32_t peers = segment.first; peers < segment.end;) {
    int32_t peers_end = peers + 1;
    while (peers_end < segment.end &&
           slice.starts_peers[first_new + (peers_end - segment.first)] == 0) {
      ++peers_end;
    }
    const int64_t time = slice.times[peers];
    // Rows without a time are each other's peers, at no distance from others.
    const int64_t start = time == kNoTime ? 0 : spec.start.value_or(0);
    const int64_t end = time == kNoTime ? 0 : spec.end;
    if (start > 0) {
      while (slice.times[by_start] < Before(time, start)) ++by_start;
    }
    if (end > 0) {
      while (by_end < segment.end && slice.times[by_end] <= Before(time, end)) ++by_end;
    }
    int32_t frame_begin = start > 0 ? by_start : peers;
    if (!spec.start.has_value()) frame_begin = segment.first;
    const int32_t frame_end = std::max(frame_begin, end > 0 ? by_end : peers_end);
    for (; peers < peers_end; ++peers) {
      frames->begin.PushBack(frame_begin);
      frames->end.PushBack(frame_end);
    }
  }
}

}  // namespace

void ComputeFrames(const OverSlice& slice, const OverFrameSpec& spec, OverFrames* frames) {
  frames->begin.Clear();
  frames->end.Clear();
  frames->begin.Reserve(slice.num_new);
  frames->end.Reserve(slice.num_new);
  int64_t first_new = 0;
  for (const OverSegment& segment : slice.segments) {
    if (spec.by_rows) {
      RowFrames(segment, spec, frames);
    } else {
      TimeFrames(slice, segment, first_new, spec, frames);
    }
    first_new += segment.end - segment.first;
  }
}

}  // namespace millrace
