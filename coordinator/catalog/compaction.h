#pragma once

#include <cstdint>
#include <optional>

namespace millrace {

namespace v1 {
class TableVersion;
}  // namespace v1

// Neighbouring segments of a version: [first, first + count).
struct SegmentRange {
  int first = 0;
  int count = 0;
};

// So many segments are worth being made one.
inline constexpr int kCompactedSegmentsMin = 32;
// A segment does not grow beyond.
inline constexpr uint64_t kSegmentRowsMax = uint64_t{4} << 20;

// The segments at the end of the log that should become one now; nothing if there are few. Only
// what lies before `read_everywhere` is taken: readers of the log go on at positions behind it, and
// a segment must not hold both what they have and what they lack. Older segments are taken along
// when they are at most twice as large as what is joined anyway, so a row is rewritten once each
// time that its table grows by half, and a table of many small commits has few segments. Pure.
std::optional<SegmentRange> ChooseCompaction(const v1::TableVersion& version,
                                             uint64_t read_everywhere);

}  // namespace millrace
