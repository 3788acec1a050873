#include "worker/state/state_database.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "worker/state/state_resources.h"

namespace millrace {
namespace {

constexpr size_t kCopyBatchBytes = 4 << 20;

absl::Status FromRocks(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  SqlState state = SqlState::kIoError;
  if (status.IsNoSpace()) state = SqlState::kDiskFull;
  if (status.IsCorruption()) state = SqlState::kDataCorrupted;
  return MakeError(state, absl::StrCat("state store: ", what, ": ", status.ToString()));
}

std::string FamilyName(uint32_t shard) { return absl::StrFormat("shard-%05u", shard); }

// The shard of a family's name; false for other families.
bool ParseFamilyName(const std::string& name, uint32_t* shard) {
  return name.size() == 11 && name.compare(0, 6, "shard-") == 0 &&
         absl::SimpleAtoi(name.substr(6), shard);
}

void AppendBigEndian(uint32_t value, std::string* out) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

std::string OwnerPrefix(StateOwner owner) {
  std::string prefix;
  AppendBigEndian(owner.fragment, &prefix);
  AppendBigEndian(owner.node_id, &prefix);
  return prefix;
}

// A counter's value: a tag, which no operator's value begins with by chance in the same length and
// place, and 8 bytes.
constexpr char kCounterTag = '\x01';
constexpr size_t kCounterBytes = 1 + sizeof(int64_t);

std::string EncodeCounter(int64_t count) {
  std::string value(kCounterBytes, kCounterTag);
  std::memcpy(value.data() + 1, &count, sizeof(count));
  return value;
}

int64_t DecodeCounter(const char* value) {
  int64_t count = 0;
  std::memcpy(&count, value + 1, sizeof(count));
  return count;
}

// Only counters are ever merged.
class CounterMerge final : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice&, const rocksdb::Slice* existing, const rocksdb::Slice& value,
             std::string* merged, rocksdb::Logger*) const override {
    const int64_t before = existing == nullptr ? 0 : DecodeCounter(existing->data());
    *merged = EncodeCounter(before + DecodeCounter(value.data()));
    return true;
  }
  const char* Name() const override { return "millrace.counter"; }
};

rocksdb::Options MakeOptions(const StateResources& resources) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.write_buffer_manager = resources.write_buffers;
  // Many small families: an arena block of 1 MB each would be most of the memory.
  options.arena_block_size = 64 << 10;
  options.write_buffer_size = 16 << 20;
  options.max_background_jobs = 1;
  options.max_open_files = 512;
  options.compression = rocksdb::kLZ4Compression;
  options.merge_operator = std::make_shared<CounterMerge>();
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = resources.block_cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.cache_index_and_filter_blocks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

StateResources::StateResources(uint64_t block_cache_bytes, uint64_t write_buffer_bytes)
    : block_cache(rocksdb::NewLRUCache(block_cache_bytes)),
      write_buffers(std::make_shared<rocksdb::WriteBufferManager>(write_buffer_bytes)) {}

StateResources::~StateResources() = default;

absl::StatusOr<std::unique_ptr<StateDatabase>> StateDatabase::Open(
    const std::string& folder, absl::Span<const uint32_t> shards, const StateResources& resources) {
  return OpenWith(folder, shards, resources, /*read_only=*/false);
}

absl::StatusOr<std::unique_ptr<StateDatabase>> StateDatabase::OpenReadOnly(
    const std::string& folder, const StateResources& resources) {
  return OpenWith(folder, {}, resources, /*read_only=*/true);
}

absl::StatusOr<std::unique_ptr<StateDatabase>> StateDatabase::OpenWith(
    const std::string& folder, absl::Span<const uint32_t> shards, const StateResources& resources,
    bool read_only) {
  const rocksdb::Options options = MakeOptions(resources);
  std::vector<std::string> names;
  // Fails for a database that is not there yet; then there are no families to open.
  if (!rocksdb::DB::ListColumnFamilies(options, folder, &names).ok()) names.clear();
  for (const uint32_t shard : shards) names.push_back(FamilyName(shard));
  names.push_back(rocksdb::kDefaultColumnFamilyName);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());

  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) {
    descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions(options));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      read_only ? rocksdb::DB::OpenForReadOnly(options, folder, descriptors, &handles, &db)
                : rocksdb::DB::Open(options, folder, descriptors, &handles, &db);
  MR_RETURN_IF_ERROR(FromRocks(status, absl::StrCat("cannot open ", folder)));

  std::unique_ptr<StateDatabase> database(new StateDatabase());
  database->db_.reset(db);
  for (size_t i = 0; i < handles.size(); ++i) {
    uint32_t shard = 0;
    if (!ParseFamilyName(names[i], &shard)) {
      database->default_family_ = handles[i];
      continue;
    }
    if (database->families_.size() <= shard) database->families_.resize(shard + 1, nullptr);
    database->families_[shard] = handles[i];
  }
  return database;
}

StateDatabase::~StateDatabase() {
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    if (family != nullptr) db_->DestroyColumnFamilyHandle(family);
  }
  if (default_family_ != nullptr) db_->DestroyColumnFamilyHandle(default_family_);
}

rocksdb::ColumnFamilyHandle* StateDatabase::FamilyOf(uint32_t shard) const {
  return shard < families_.size() ? families_[shard] : nullptr;
}

absl::Status StateDatabase::Write(StateOwner owner, std::vector<StateEntry> entries) {
  // Sorted writes cost RocksDB a third of unsorted ones.
  std::sort(entries.begin(), entries.end(), [](const StateEntry& a, const StateEntry& b) {
    return a.shard != b.shard ? a.shard < b.shard : a.key < b.key;
  });
  const std::string prefix = OwnerPrefix(owner);
  rocksdb::WriteBatch batch;
  std::string key;
  for (const StateEntry& entry : entries) {
    rocksdb::ColumnFamilyHandle* family = FamilyOf(entry.shard);
    if (family == nullptr) {
      return InternalError(absl::StrCat("state store: shard ", entry.shard, " is not owned"));
    }
    key.assign(prefix).append(entry.key);
    rocksdb::Status status;
    if (entry.add.has_value()) {
      status = batch.Merge(family, key, EncodeCounter(*entry.add));
    } else if (entry.value.has_value()) {
      status = batch.Put(family, key, *entry.value);
    } else {
      status = batch.Delete(family, key);
    }
    MR_RETURN_IF_ERROR(FromRocks(status, "cannot add to a batch"));
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return FromRocks(db_->Write(options, &batch), "cannot write");
}

int64_t StateCounter(absl::string_view value) {
  return value.size() == kCounterBytes ? DecodeCounter(value.data()) : 0;
}

absl::Status StateDatabase::Scan(StateOwner owner, uint32_t shard,
                                 TaskStateStore::Visitor visit) const {
  rocksdb::ColumnFamilyHandle* family = FamilyOf(shard);
  if (family == nullptr) return absl::OkStatus();
  const std::string prefix = OwnerPrefix(owner);
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions(), family));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    const absl::string_view key(it->key().data() + prefix.size(), it->key().size() - prefix.size());
    MR_RETURN_IF_ERROR(
        visit(shard, key, absl::string_view(it->value().data(), it->value().size())));
  }
  return FromRocks(it->status(), "cannot scan");
}

absl::Status StateDatabase::CopyFrom(const StateDatabase& from, uint32_t fragment, uint32_t shard) {
  rocksdb::ColumnFamilyHandle* source = from.FamilyOf(shard);
  if (source == nullptr) return absl::OkStatus();
  rocksdb::ColumnFamilyHandle* target = FamilyOf(shard);
  if (target == nullptr) {
    return InternalError(absl::StrCat("state store: shard ", shard, " is not owned"));
  }
  std::string prefix;
  AppendBigEndian(fragment, &prefix);
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  rocksdb::WriteBatch batch;
  std::unique_ptr<rocksdb::Iterator> it(from.db_->NewIterator(rocksdb::ReadOptions(), source));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    MR_RETURN_IF_ERROR(
        FromRocks(batch.Put(target, it->key(), it->value()), "cannot add to a batch"));
    if (batch.GetDataSize() < kCopyBatchBytes) continue;
    MR_RETURN_IF_ERROR(FromRocks(db_->Write(options, &batch), "cannot write restored state"));
    batch.Clear();
  }
  MR_RETURN_IF_ERROR(FromRocks(it->status(), "cannot read a checkpoint"));
  return FromRocks(db_->Write(options, &batch), "cannot write restored state");
}

absl::Status StateDatabase::Link(const std::string& folder) const {
  rocksdb::Checkpoint* raw = nullptr;
  MR_RETURN_IF_ERROR(FromRocks(rocksdb::Checkpoint::Create(db_.get(), &raw), "checkpoint"));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  // 0 = flush all families first; any other value can leave rows out without a word.
  return FromRocks(checkpoint->CreateCheckpoint(folder, /*log_size_for_flush=*/0),
                   absl::StrCat("cannot link a checkpoint into ", folder));
}

}  // namespace millrace
