#pragma once

#include <cstdint>
#include <optional>

#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/job/stream_jobs.h"

namespace millrace {

// How far one view has come at the newest published epoch. Its job may keep others, from other
// sources.
struct ViewProgress {
  // Every row of its sources is in; of stored tables, those that `tables` shows.
  bool complete = false;
  // Reads a stored table that may still get rows.
  bool may_grow = false;
  // Least watermark of the tasks that keep it; absent without event time.
  std::optional<int64_t> watermark_micros;
  // Read from its sources.
  uint64_t rows = 0;
};

// An epoch of the stream must have been published.
ViewProgress ViewProgressOf(const StreamView& stream, uint64_t view_id,
                            const CatalogSnapshot& tables);

}  // namespace millrace
