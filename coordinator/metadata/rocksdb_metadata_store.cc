#include "coordinator/metadata/rocksdb_metadata_store.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/iterator.h"
#include "rocksdb/options.h"
#include "rocksdb/write_batch.h"

namespace millrace {
namespace {

// Not a word that a key may begin with, so that List("") can leave it out by its first byte.
constexpr char kHeaderKey[] = "\x01header";
constexpr uint32_t kStoreFormat = 1;
constexpr size_t kRevisionBytes = sizeof(uint64_t);

std::string EncodeFixed64(uint64_t value) {
  std::string bytes(kRevisionBytes, '\0');
  for (size_t i = 0; i < kRevisionBytes; ++i) {
    bytes[i] = static_cast<char>((value >> (8 * i)) & 0xff);
  }
  return bytes;
}

uint64_t DecodeFixed64(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < kRevisionBytes; ++i) {
    value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

absl::StatusOr<MetadataValue> DecodeValue(absl::string_view key, absl::string_view bytes) {
  if (bytes.size() < kRevisionBytes) {
    return MakeError(SqlState::kDataCorrupted, absl::StrCat("metadata record is too short: ", key));
  }
  return MetadataValue{std::string(bytes.substr(kRevisionBytes)), DecodeFixed64(bytes)};
}

rocksdb::WriteOptions Synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

// RocksDB does not always name the file.
absl::Status WithFolder(absl::Status status, const std::string& folder) {
  if (status.ok() || GetErrorDetail(status).state != SqlState::kDataCorrupted) return status;
  return WithHint(std::move(status),
                  absl::StrCat("a file in ", folder, " is damaged: put the whole folder back from ",
                               "a copy, and keep the damaged one"));
}

absl::Status NotOpen() {
  return MakeError(SqlState::kIoError, "the metadata store could not be opened again");
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

// Writes and removes what opening a database needs at least.
absl::Status ProbeSpace(const std::string& folder) {
  constexpr size_t kProbeBytes = 1 << 20;
  const std::string path = absl::StrCat(folder, "/probe");
  rocksdb::Env* env = rocksdb::Env::Default();
  rocksdb::Status status;
  {
    std::unique_ptr<rocksdb::WritableFile> file;
    status = env->NewWritableFile(path, &file, rocksdb::EnvOptions());
    if (status.ok()) status = file->Append(std::string(kProbeBytes, '\0'));
    if (status.ok()) status = file->Sync();
  }
  env->DeleteFile(path).PermitUncheckedError();
  return FromRocksDb(status);
}

rocksdb::Slice AsSlice(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view AsView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

absl::Status FromRocksDb(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  if (status.IsCorruption()) return MakeError(SqlState::kDataCorrupted, text);
  if (status.IsNoSpace()) return MakeError(SqlState::kDiskFull, text);
  if (absl::StrContains(text, "lock")) {
    return MakeError(SqlState::kObjectInUse, text,
                     "another process serves this data folder; stop it or choose another folder");
  }
  if (status.IsIOError()) return MakeError(SqlState::kIoError, text);
  return InternalError(text);
}

RocksDbMetadataStore::RocksDbMetadataStore(std::string folder) : folder_(std::move(folder)) {}

RocksDbMetadataStore::~RocksDbMetadataStore() = default;

absl::StatusOr<std::unique_ptr<RocksDbMetadataStore>> RocksDbMetadataStore::Open(
    const std::string& folder) {
  auto store = std::unique_ptr<RocksDbMetadataStore>(new RocksDbMetadataStore(folder));
  MutexLock lock(store->mutex_);
  MR_RETURN_IF_ERROR(store->OpenDatabase());
  return store;
}

absl::Status RocksDbMetadataStore::OpenDatabase() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.info_log = std::make_shared<ErrorLogger>();
  options.write_buffer_size = size_t{4} << 20;
  // Only a record that was cut off at the end may be left out, it was not acknowledged. A damaged
  // one before it is refused: what came behind was.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  // RocksDB would make it too, but lists it before, and logs an error if there is none.
  MR_RETURN_IF_ERROR(WithContext(FromRocksDb(options.env->CreateDirIfMissing(folder_)),
                                 absl::StrCat("cannot make the folder ", folder_)));
  rocksdb::DB* db = nullptr;
  {
    MutexLock lock(db_mutex_);
    // The old one holds the lock of the folder.
    db_.reset();
    MR_RETURN_IF_ERROR(WithFolder(WithContext(FromRocksDb(rocksdb::DB::Open(options, folder_, &db)),
                                              absl::StrCat("cannot open metadata store ", folder_)),
                                  folder_));
    db_.reset(db);
  }
  return WithFolder(LoadHeader(), folder_);
}

// The format comes first in every format; a newer one may have more behind it, or less.
absl::StatusOr<uint64_t> RevisionInStoreHeader(absl::string_view header) {
  const absl::Status damaged =
      MakeError(SqlState::kDataCorrupted, "the header of the metadata store is damaged");
  if (header.size() < kRevisionBytes) return damaged;
  const auto format = static_cast<uint32_t>(DecodeFixed64(header));
  MR_RETURN_IF_ERROR(CheckRecordFormat("the metadata store", format, kStoreFormat));
  if (header.size() != 2 * kRevisionBytes) return damaged;
  return DecodeFixed64(header.substr(kRevisionBytes));
}

absl::Status RocksDbMetadataStore::LoadHeader() {
  MR_ASSIGN_OR_RETURN(const std::optional<std::string> header, GetBytes(kHeaderKey));
  if (!header.has_value()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(revision_, RevisionInStoreHeader(*header));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> RocksDbMetadataStore::GetBytes(
    absl::string_view key) const {
  MutexLock lock(db_mutex_);
  if (db_ == nullptr) return NotOpen();
  std::string bytes;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), AsSlice(key), &bytes);
  if (status.IsNotFound()) return std::optional<std::string>();
  MR_RETURN_IF_ERROR(WithFolder(FromRocksDb(status), folder_));
  return std::optional<std::string>(std::move(bytes));
}

absl::StatusOr<std::optional<MetadataValue>> RocksDbMetadataStore::Get(
    absl::string_view key) const {
  MR_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, GetBytes(key));
  if (!bytes.has_value()) return std::optional<MetadataValue>();
  MR_ASSIGN_OR_RETURN(MetadataValue value, DecodeValue(key, *bytes));
  return std::optional<MetadataValue>(std::move(value));
}

absl::StatusOr<std::vector<MetadataEntry>> RocksDbMetadataStore::List(
    absl::string_view prefix) const {
  std::vector<MetadataEntry> entries;
  MutexLock lock(db_mutex_);
  if (db_ == nullptr) return NotOpen();
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  for (it->Seek(AsSlice(prefix)); it->Valid(); it->Next()) {
    const absl::string_view key = AsView(it->key());
    if (!absl::StartsWith(key, prefix)) break;
    if (key == kHeaderKey) continue;
    MR_ASSIGN_OR_RETURN(MetadataValue value, DecodeValue(key, AsView(it->value())));
    entries.push_back({std::string(key), std::move(value.value), value.revision});
  }
  MR_RETURN_IF_ERROR(WithFolder(FromRocksDb(it->status()), folder_));
  return entries;
}

absl::StatusOr<uint64_t> RocksDbMetadataStore::Transact(
    const std::vector<MetadataCondition>& conditions, const std::vector<MetadataWrite>& writes) {
  MutexLock lock(mutex_);
  if (undo_.has_value()) MR_RETURN_IF_ERROR(WithContext(Reopen(), "cannot write metadata"));
  for (const MetadataCondition& condition : conditions) {
    MR_ASSIGN_OR_RETURN(std::optional<MetadataValue> found, Get(condition.key));
    const uint64_t revision = found.has_value() ? found->revision : 0;
    if (revision != condition.revision) return RevisionConflict(condition.key);
  }
  const uint64_t next = revision_ + 1;
  rocksdb::WriteBatch batch;
  for (const MetadataWrite& write : writes) {
    const rocksdb::Status status = write.value.has_value()
                                       ? batch.Put(write.key, EncodeFixed64(next) + *write.value)
                                       : batch.Delete(write.key);
    MR_RETURN_IF_ERROR(FromRocksDb(status));
  }
  MR_RETURN_IF_ERROR(
      FromRocksDb(batch.Put(kHeaderKey, EncodeFixed64(kStoreFormat) + EncodeFixed64(next))));
  MR_FAILPOINT("metadata.before_commit");
  const rocksdb::Status written = db_->Write(Synced(), &batch);
  if (!written.ok()) {
    undo_ = UndoOf(next, writes);
    return WithContext(FromRocksDb(written), "cannot write metadata");
  }
  revision_ = next;
  MR_CRASHPOINT("metadata.after_commit");
  return next;
}

RocksDbMetadataStore::Undo RocksDbMetadataStore::UndoOf(uint64_t revision,
                                                        const std::vector<MetadataWrite>& writes) {
  Undo undo;
  undo.revision = revision;
  for (const MetadataWrite& write : writes) {
    absl::StatusOr<std::optional<std::string>> before = GetBytes(write.key);
    // What cannot be read cannot be put back either.
    if (before.ok()) undo.values.emplace_back(write.key, *std::move(before));
  }
  return undo;
}

absl::Status RocksDbMetadataStore::Reopen() {
  // Not before there is space again: while it cannot be opened, nothing can be read either.
  MR_RETURN_IF_ERROR(ProbeSpace(folder_));
  const Undo undo = *undo_;
  MR_RETURN_IF_ERROR(OpenDatabase());
  if (revision_ == undo.revision) MR_RETURN_IF_ERROR(ApplyUndo(undo));
  undo_.reset();
  return absl::OkStatus();
}

// The revision stays: it is not used again.
absl::Status RocksDbMetadataStore::ApplyUndo(const Undo& undo) {
  rocksdb::WriteBatch batch;
  for (const auto& [key, bytes] : undo.values) {
    MR_RETURN_IF_ERROR(FromRocksDb(bytes.has_value() ? batch.Put(key, *bytes) : batch.Delete(key)));
  }
  return FromRocksDb(db_->Write(Synced(), &batch));
}

}  // namespace millrace
