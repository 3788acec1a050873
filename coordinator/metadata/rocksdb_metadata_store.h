#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "coordinator/metadata/metadata_store.h"

namespace rocksdb {
class DB;
class Status;
}  // namespace rocksdb

namespace millrace {

// One RocksDB database; every transaction is one write batch with a synced log. A value is stored
// with its revision in front (8 bytes, little endian). One process at a time may have it open.
class RocksDbMetadataStore final : public MetadataStore {
 public:
  // Opens the database in `folder`, and creates it if there is none. 55006 if another process has
  // it open; 0A000 if a newer version has written it.
  static absl::StatusOr<std::unique_ptr<RocksDbMetadataStore>> Open(const std::string& folder);
  ~RocksDbMetadataStore() override;

  absl::StatusOr<std::optional<MetadataValue>> Get(absl::string_view key) const override;
  absl::StatusOr<std::vector<MetadataEntry>> List(absl::string_view prefix) const override;
  absl::StatusOr<uint64_t> Transact(const std::vector<MetadataCondition>& conditions,
                                    const std::vector<MetadataWrite>& writes) override;

 private:
  explicit RocksDbMetadataStore(std::unique_ptr<rocksdb::DB> db);
  absl::Status LoadHeader();

  const std::unique_ptr<rocksdb::DB> db_;
  Mutex mutex_;
  uint64_t revision_ ABSL_GUARDED_BY(mutex_) = 0;
};

// RocksDB's errors as ours: I/O 58030, no space 53100, corruption XX001, lock held 55006.
absl::Status FromRocksDb(const rocksdb::Status& status);

}  // namespace millrace
