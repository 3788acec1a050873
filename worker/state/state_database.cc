#include "worker/state/state_database.h"

#include <rocksdb/comparator.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/metadata.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "worker/state/state_resources.h"

namespace millrace {
namespace {

// Entries go to RocksDB in batches of about this size.
constexpr size_t kWriteBatchBytes = 4 << 20;
// So many entries of a shard become a file at once: past the memory tables and the flush that would
// make the same file of them.
constexpr int64_t kFileEntriesMin = 16 << 10;
// A cursor reads this far ahead, because entries are small and disks are slow.
constexpr size_t kReadaheadBytes = 2 << 20;

absl::Status FromRocks(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  SqlState state = SqlState::kIoError;
  if (status.IsNoSpace()) state = SqlState::kDiskFull;
  if (status.IsCorruption()) state = SqlState::kDataCorrupted;
  return MakeError(state, absl::StrCat("state store: ", what, ": ", status.ToString()));
}

std::string FamilyName(ShardId id) {
  return absl::StrFormat("fragment-%u-shard-%u", id.fragment, id.shard);
}

void AppendBigEndian(uint32_t value, std::string* out) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

std::string NodePrefix(uint32_t node_id) {
  std::string prefix;
  AppendBigEndian(node_id, &prefix);
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

// RocksDB's own log file is not written: it lies in the same folder, and when that is full RocksDB
// asserts at its second line. Errors go to ours.
class ErrorLogger final : public rocksdb::Logger {
 public:
  ErrorLogger() : Logger(rocksdb::InfoLogLevel::ERROR_LEVEL) {}
  // The options, at each start.
  void LogHeader(const char*, va_list) override {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char text[512];
    std::vsnprintf(text, sizeof(text), format, arguments);
    Log(LogLevel::kWarning, "rocksdb", text);
  }
};

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
  options.env = resources.env.get();
  options.create_if_missing = true;
  options.write_buffer_manager = resources.write_buffers;
  // Many small families: an arena block of 1 MB each would be most of the memory.
  options.arena_block_size = 64 << 10;
  options.write_buffer_size = 16 << 20;
  options.max_background_jobs = 1;
  options.max_open_files = 512;
  options.info_log = std::make_shared<ErrorLogger>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.compression = rocksdb::kLZ4Compression;
  options.merge_operator = std::make_shared<CounterMerge>();
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = resources.block_cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.cache_index_and_filter_blocks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// Adds an entry to a batch, for which it needs the family, or to a file.
template <typename Target, typename... Family>
rocksdb::Status AddTo(Target& target, const rocksdb::Slice& key, const StateEntries::Entry& entry,
                      Family... family) {
  switch (entry.kind) {
    case StateEntries::Kind::kAdd:
      return target.Merge(family..., key, EncodeCounter(entry.count));
    case StateEntries::Kind::kPut:
      return target.Put(family..., key, rocksdb::Slice(entry.value.data(), entry.value.size()));
    case StateEntries::Kind::kDelete:
      return target.Delete(family..., key);
  }
  return rocksdb::Status::InvalidArgument("unknown kind of entry");
}

uint64_t SizeProperty(rocksdb::DB& db, const std::string& name) {
  uint64_t bytes = 0;
  return db.GetAggregatedIntProperty(name, &bytes) ? bytes : 0;
}

// The keys' positions by shard and key, for which RocksDB looks up faster.
std::vector<uint32_t> OrderOf(absl::Span<const StateKey> keys) {
  std::vector<uint32_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return keys[a].shard != keys[b].shard ? keys[a].shard < keys[b].shard
                                          : keys[a].key < keys[b].key;
  });
  return order;
}

}  // namespace

// Entries [begin, end) of one operator and shard, sorted by key.
class StateDatabase::ShardEntries {
 public:
  ShardEntries(uint32_t node_id, const StateEntries& entries, int64_t begin, int64_t end)
      : prefix_(NodePrefix(node_id)), entries_(entries), begin_(begin), end_(end) {}

  int64_t size() const { return end_ - begin_; }
  bool has_unique_keys() const {
    for (int64_t i = begin_ + 1; i < end_; ++i) {
      if (entries_[i - 1].key == entries_[i].key) return false;
    }
    return true;
  }

  // visit(key, entry) for each; the key as RocksDB has it.
  template <typename Visit>
  absl::Status ForEach(const Visit& visit) const {
    std::string key = prefix_;
    for (int64_t i = begin_; i < end_; ++i) {
      const StateEntries::Entry entry = entries_[i];
      key.resize(prefix_.size());
      key.append(entry.key);
      const rocksdb::Status status = visit(rocksdb::Slice(key), entry);
      if (!status.ok()) return FromRocks(status, "cannot write");
    }
    return absl::OkStatus();
  }

 private:
  const std::string prefix_;
  const StateEntries& entries_;
  const int64_t begin_;
  const int64_t end_;
};

// One iterator for each shard, all made at once: each sees its shard as it was then.
class StateDatabase::Cursor final : public StateCursor {
 public:
  Cursor(uint32_t node_id, absl::string_view prefix)
      : node_bytes_(NodePrefix(node_id).size()),
        prefix_(absl::StrCat(NodePrefix(node_id), prefix)) {}

  void Add(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, uint32_t shard) {
    rocksdb::ReadOptions options;
    options.readahead_size = kReadaheadBytes;
    // A scan of everything would push out what single look-ups need.
    options.fill_cache = false;
    shards_.push_back({shard, std::unique_ptr<rocksdb::Iterator>(db.NewIterator(options, family))});
  }

  absl::StatusOr<bool> Next(int64_t entries_max, Visitor visit) override {
    for (; at_ < shards_.size(); ++at_, started_ = false) {
      rocksdb::Iterator& it = *shards_[at_].iterator;
      if (!std::exchange(started_, true)) it.Seek(prefix_);
      for (; it.Valid() && it.key().starts_with(prefix_); it.Next()) {
        if (entries_max-- == 0) return true;
        const absl::string_view key(it.key().data() + node_bytes_, it.key().size() - node_bytes_);
        MR_RETURN_IF_ERROR(visit(shards_[at_].shard, key,
                                 absl::string_view(it.value().data(), it.value().size())));
      }
      MR_RETURN_IF_ERROR(FromRocks(it.status(), "cannot scan"));
      shards_[at_].iterator.reset();
    }
    return false;
  }

 private:
  struct Shard {
    uint32_t shard;
    std::unique_ptr<rocksdb::Iterator> iterator;
  };
  const size_t node_bytes_;
  const std::string prefix_;
  std::vector<Shard> shards_;
  size_t at_ = 0;
  bool started_ = false;
};

StateDatabase::StateDatabase(std::unique_ptr<rocksdb::DB> db, const StateResources& resources)
    : db_(std::move(db)), resources_(resources) {}

absl::StatusOr<std::unique_ptr<StateDatabase>> StateDatabase::Open(
    const std::string& folder, const StateResources& resources) {
  rocksdb::DB* db = nullptr;
  MR_RETURN_IF_ERROR(FromRocks(rocksdb::DB::Open(MakeOptions(resources), folder, &db),
                               absl::StrCat("cannot open ", folder)));
  return absl::WrapUnique(new StateDatabase(std::unique_ptr<rocksdb::DB>(db), resources));
}

StateDatabase::~StateDatabase() {
  FinishImport();
  for (const auto& [id, family] : Families()) db_->DestroyColumnFamilyHandle(family);
}

rocksdb::ColumnFamilyHandle* StateDatabase::Find(ShardId shard) const {
  MutexLock lock(mutex_);
  const auto it = families_.find(shard);
  return it == families_.end() ? nullptr : it->second;
}

absl::StatusOr<rocksdb::ColumnFamilyHandle*> StateDatabase::FindOrCreate(ShardId shard) {
  MutexLock lock(mutex_);
  rocksdb::ColumnFamilyHandle*& family = families_[shard];
  if (family != nullptr) return family;
  const rocksdb::ColumnFamilyOptions options(MakeOptions(resources_));
  const rocksdb::Status status = db_->CreateColumnFamily(options, FamilyName(shard), &family);
  if (!status.ok()) families_.erase(shard);
  MR_RETURN_IF_ERROR(FromRocks(status, "cannot make room for a shard"));
  return family;
}

std::vector<std::pair<ShardId, rocksdb::ColumnFamilyHandle*>> StateDatabase::Families() const {
  MutexLock lock(mutex_);
  return {families_.begin(), families_.end()};
}

absl::Status StateDatabase::Write(uint32_t fragment, uint32_t node_id,
                                  const StateEntries& entries) {
  const StateEntries sorted = entries.Sorted();
  for (int64_t begin = 0, end = 0; begin < sorted.size(); begin = end) {
    const uint32_t shard = sorted.shard(begin);
    while (end < sorted.size() && sorted.shard(end) == shard) ++end;
    MR_ASSIGN_OR_RETURN(rocksdb::ColumnFamilyHandle * family, FindOrCreate({fragment, shard}));
    const ShardEntries run(node_id, sorted, begin, end);
    MR_RETURN_IF_ERROR(run.size() >= kFileEntriesMin && run.has_unique_keys()
                           ? WriteFile(family, run)
                           : WriteBatches(family, run));
  }
  return absl::OkStatus();
}

absl::Status StateDatabase::WriteBatches(rocksdb::ColumnFamilyHandle* family,
                                         const ShardEntries& entries) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  rocksdb::WriteBatch batch;
  MR_RETURN_IF_ERROR(entries.ForEach([&](const rocksdb::Slice& key, const auto& entry) {
    const rocksdb::Status added = AddTo(batch, key, entry, family);
    if (!added.ok() || batch.GetDataSize() < kWriteBatchBytes) return added;
    const rocksdb::Status written = db_->Write(options, &batch);
    batch.Clear();
    return written;
  }));
  return FromRocks(db_->Write(options, &batch), "cannot write");
}

absl::Status StateDatabase::WriteFile(rocksdb::ColumnFamilyHandle* family,
                                      const ShardEntries& entries) {
  const std::string path = absl::StrCat(db_->GetName(), "/entries-", num_files_.fetch_add(1));
  absl::Status status;
  {
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), MakeOptions(resources_), family);
    status = FromRocks(writer.Open(path), "cannot create a file");
    if (status.ok()) {
      status = entries.ForEach(
          [&](const rocksdb::Slice& key, const auto& entry) { return AddTo(writer, key, entry); });
    }
    if (status.ok()) status = FromRocks(writer.Finish(), "cannot write a file");
  }
  if (status.ok()) {
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    // Its place among the shard's files stands in the metadata alone, as with all other files.
    options.write_global_seqno = false;
    status = FromRocks(db_->IngestExternalFile(family, {path}, options), "cannot take a file");
  }
  if (!status.ok()) db_->GetEnv()->DeleteFile(path).PermitUncheckedError();
  return status;
}

int64_t StateCounter(absl::string_view value) {
  return value.size() == kCounterBytes ? DecodeCounter(value.data()) : 0;
}

absl::Status TaskStateStore::Restore(uint32_t node_id, absl::string_view prefix, Visitor visit) {
  const std::unique_ptr<StateCursor> cursor = Read(node_id, prefix);
  bool more = true;
  while (more) {
    MR_ASSIGN_OR_RETURN(more, cursor->Next(INT64_MAX, visit));
  }
  return absl::OkStatus();
}

std::unique_ptr<StateCursor> StateDatabase::Read(uint32_t fragment, uint32_t node_id,
                                                 absl::string_view prefix, uint32_t first_shard,
                                                 uint32_t num_shards) const {
  auto cursor = std::make_unique<Cursor>(node_id, prefix);
  for (uint32_t shard = first_shard; shard < first_shard + num_shards; ++shard) {
    rocksdb::ColumnFamilyHandle* family = Find({fragment, shard});
    if (family != nullptr) cursor->Add(*db_, family, shard);
  }
  return cursor;
}

absl::Status StateDatabase::ReadPrefixes(uint32_t fragment, uint32_t node_id,
                                         absl::Span<const StateKey> prefixes,
                                         StateCursor::Visitor visit) const {
  const std::vector<uint32_t> order = OrderOf(prefixes);
  std::unique_ptr<rocksdb::Iterator> it;
  const std::string node = NodePrefix(node_id);
  std::string prefix;
  std::string last;
  for (size_t i = 0; i < order.size(); ++i) {
    const StateKey& wanted = prefixes[order[i]];
    const bool same_shard = i > 0 && prefixes[order[i - 1]].shard == wanted.shard;
    if (!same_shard) {
      rocksdb::ColumnFamilyHandle* family = Find({fragment, wanted.shard});
      it.reset(family == nullptr ? nullptr : db_->NewIterator(rocksdb::ReadOptions(), family));
    }
    if (it == nullptr) continue;
    prefix.assign(node).append(wanted.key);
    if (same_shard && absl::StartsWith(prefix, last)) continue;
    last = prefix;
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
      const absl::string_view key(it->key().data() + node.size(), it->key().size() - node.size());
      MR_RETURN_IF_ERROR(
          visit(wanted.shard, key, absl::string_view(it->value().data(), it->value().size())));
    }
    MR_RETURN_IF_ERROR(FromRocks(it->status(), "cannot look up"));
  }
  return absl::OkStatus();
}

absl::Status StateDatabase::Get(uint32_t fragment, uint32_t node_id,
                                absl::Span<const StateKey> keys,
                                std::vector<std::optional<std::string>>* values) const {
  values->assign(keys.size(), std::nullopt);
  const std::vector<uint32_t> order = OrderOf(keys);
  const std::string prefix = NodePrefix(node_id);
  std::vector<std::string> prefixed;
  std::vector<rocksdb::Slice> slices;
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    const uint32_t shard = keys[order[begin]].shard;
    while (end < order.size() && keys[order[end]].shard == shard) ++end;
    rocksdb::ColumnFamilyHandle* family = Find({fragment, shard});
    if (family == nullptr) continue;
    const size_t n = end - begin;
    prefixed.assign(n, prefix);
    for (size_t i = 0; i < n; ++i) prefixed[i].append(keys[order[begin + i]].key);
    slices.assign(prefixed.begin(), prefixed.end());
    std::vector<rocksdb::PinnableSlice> found(n);
    std::vector<rocksdb::Status> statuses(n);
    db_->MultiGet(rocksdb::ReadOptions(), family, n, slices.data(), found.data(), statuses.data(),
                  /*sorted_input=*/true);
    for (size_t i = 0; i < n; ++i) {
      if (statuses[i].IsNotFound()) continue;
      MR_RETURN_IF_ERROR(FromRocks(statuses[i], "cannot look up"));
      (*values)[order[begin + i]].emplace(found[i].data(), found[i].size());
    }
  }
  return absl::OkStatus();
}

absl::Status StateDatabase::Import(ShardId shard, absl::Span<const ShardFile> files) {
  if (!std::exchange(importing_, true)) {
    MR_RETURN_IF_ERROR(FromRocks(db_->PauseBackgroundWork(), "cannot pause"));
  }
  rocksdb::ExportImportFilesMetaData metadata;
  metadata.db_comparator_name = rocksdb::BytewiseComparator()->Name();
  for (const ShardFile& file : files) {
    rocksdb::LiveFileMetaData& out = metadata.files.emplace_back();
    out.column_family_name = FamilyName(shard);
    out.name = "/" + file.name;
    out.db_path = file.folder;
    out.level = static_cast<int>(file.level);
    out.size = file.size_bytes;
    out.smallest_seqno = file.smallest_sequence;
    out.largest_seqno = file.largest_sequence;
  }
  rocksdb::ImportColumnFamilyOptions options;
  options.move_files = true;
  rocksdb::ColumnFamilyHandle* family = nullptr;
  const rocksdb::ColumnFamilyOptions family_options(MakeOptions(resources_));
  const rocksdb::Status status = db_->CreateColumnFamilyWithImport(
      family_options, FamilyName(shard), options, metadata, &family);
  MR_RETURN_IF_ERROR(FromRocks(status, "cannot take over the files of a shard"));
  MutexLock lock(mutex_);
  families_[shard] = family;
  return absl::OkStatus();
}

void StateDatabase::FinishImport() {
  if (std::exchange(importing_, false)) db_->ContinueBackgroundWork().PermitUncheckedError();
}

absl::Status StateDatabase::Flush() {
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  for (const auto& [id, family] : Families()) families.push_back(family);
  if (families.empty()) return absl::OkStatus();
  // After an earlier failure, such as a full disk, RocksDB writes nothing until it is told to; what
  // was not flushed is still there.
  MR_RETURN_IF_ERROR(FromRocks(db_->Resume(), "cannot go on after an earlier failure"));
  return FromRocks(db_->Flush(rocksdb::FlushOptions(), families), "cannot flush");
}

absl::Status StateDatabase::VisitFiles(
    absl::FunctionRef<absl::Status(const ShardFile& file)> visit) {
  MR_RETURN_IF_ERROR(Flush());
  MR_RETURN_IF_ERROR(FromRocks(db_->DisableFileDeletions(), "cannot keep files"));
  absl::Status visited;
  for (const auto& [shard, family] : Families()) {
    if (visited.ok()) visited = VisitFamily(shard, family, visit);
  }
  visited.Update(FromRocks(db_->EnableFileDeletions(/*force=*/false), "cannot let go of files"));
  return visited;
}

absl::Status StateDatabase::VisitFamily(
    ShardId shard, rocksdb::ColumnFamilyHandle* family,
    absl::FunctionRef<absl::Status(const ShardFile& file)> visit) const {
  rocksdb::ColumnFamilyMetaData metadata;
  db_->GetColumnFamilyMetaData(family, &metadata);
  for (const rocksdb::LevelMetaData& level : metadata.levels) {
    for (const rocksdb::SstFileMetaData& file : level.files) {
      ShardFile out;
      out.shard = shard;
      out.folder = file.db_path;
      out.name = file.relative_filename;
      out.size_bytes = file.size;
      out.level = static_cast<uint32_t>(level.level);
      out.smallest_sequence = file.smallest_seqno;
      out.largest_sequence = file.largest_seqno;
      MR_RETURN_IF_ERROR(visit(out));
    }
  }
  return absl::OkStatus();
}

uint64_t StateDatabase::disk_bytes() const {
  return SizeProperty(*db_, rocksdb::DB::Properties::kTotalSstFilesSize) +
         SizeProperty(*db_, rocksdb::DB::Properties::kCurSizeAllMemTables);
}

}  // namespace millrace
