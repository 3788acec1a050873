#include "coordinator/catalog/compaction.h"

#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// Smaller segments cost little to write again.
constexpr uint64_t kTinyRows = 8192;

}  // namespace

std::optional<SegmentRange> ChooseCompaction(const v1::TableVersion& version,
                                             uint64_t read_everywhere) {
  int end = version.segments_size();
  while (end > 0 && version.segments(end - 1).end_position() > read_everywhere) --end;
  uint64_t rows = 0;
  int first = end;
  while (first > 0) {
    const uint64_t older = version.segments(first - 1).rows();
    const bool larger = first < end && older > 2 * rows + kTinyRows;
    if (larger || rows + older > kSegmentRowsMax) break;
    rows += older;
    --first;
  }
  if (end - first < kCompactedSegmentsMin) return std::nullopt;
  return SegmentRange{first, end - first};
}

}  // namespace millrace
