#pragma once

#include <cstdint>
#include <memory>

namespace rocksdb {
class Cache;
class Env;
class WriteBufferManager;
}  // namespace rocksdb

namespace millrace {

// What all state databases of a worker process share, so that their memory has one bound, not one
// for each job.
struct StateResources {
  explicit StateResources(uint64_t block_cache_bytes, uint64_t write_buffer_bytes);
  ~StateResources();

  // Files without fsync: after a crash a database is made again from a checkpoint, so what it has
  // on its own disk need not survive one.
  std::unique_ptr<rocksdb::Env> env;
  std::shared_ptr<rocksdb::Cache> block_cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};

}  // namespace millrace
