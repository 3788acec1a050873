#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/base/mutex.h"

namespace millrace {

class PeerStream;

// The streams from this worker to others: one for each, opened when first asked for and kept.
// Thread-safe.
class PeerPool {
 public:
  PeerPool() = default;
  // Ends all streams.
  ~PeerPool();
  PeerPool(const PeerPool&) = delete;
  PeerPool& operator=(const PeerPool&) = delete;

  // The stream to `worker`; a new one if the last one broke. `own_worker`: this worker's id, told
  // to the other side.
  std::shared_ptr<PeerStream> Get(uint32_t own_worker, uint32_t worker, const std::string& address);
  // Ends all streams, for example because this worker gets a new id.
  void CloseAll();

 private:
  Mutex mutex_;
  std::map<uint32_t, std::shared_ptr<PeerStream>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
