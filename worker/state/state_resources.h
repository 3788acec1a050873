#pragma once

#include <cstdint>
#include <memory>

namespace rocksdb {
class Cache;
class WriteBufferManager;
}  // namespace rocksdb

namespace millrace {

// What all state databases of a worker process share, so that their memory has one bound, not one
// for each job.
struct StateResources {
  explicit StateResources(uint64_t block_cache_bytes, uint64_t write_buffer_bytes);
  ~StateResources();

  std::shared_ptr<rocksdb::Cache> block_cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};

}  // namespace millrace
