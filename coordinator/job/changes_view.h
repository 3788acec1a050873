#pragma once

#include <cstdint>

namespace millrace {

// What a reader of a view's changes sees of the view's job.
struct ChangesView {
  uint32_t attempt = 0;
  // Where the attempt went on; 0 = at the beginning.
  uint64_t restored_epoch = 0;
  // Newest published epoch of the attempt; 0 = none.
  uint64_t published_epoch = 0;
  // The oldest published epoch that the reader has not fetched and that is, or will be, durable;
  // 0 = none.
  uint64_t next_checkpoint = 0;
  uint64_t durable_epoch = 0;
  // The workers can be asked for rows.
  bool readable = false;
  // Nothing will change any more.
  bool ended = false;
  // What the reader has not fetched became too much to be kept.
  bool behind = false;
};

}  // namespace millrace
