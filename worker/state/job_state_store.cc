#include "worker/state/job_state_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_system.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

// Ends with 57014 when nobody wants the entries any more.
class StoppableCursor final : public StateCursor {
 public:
  StoppableCursor(std::unique_ptr<StateCursor> cursor,
                  std::shared_ptr<const std::atomic<bool>> stop)
      : cursor_(std::move(cursor)), stop_(std::move(stop)) {}

  absl::StatusOr<bool> Next(int64_t entries_max, Visitor visit) override {
    bool more = true;
    while (more && entries_max > 0) {
      if (stop_ != nullptr && *stop_) {
        return MakeError(SqlState::kQueryCanceled, "the loading of state was stopped");
      }
      const int64_t part = std::min(entries_max, kEntriesBetweenChecks);
      MR_ASSIGN_OR_RETURN(more, cursor_->Next(part, visit));
      entries_max -= part;
    }
    return more;
  }

 private:
  static constexpr int64_t kEntriesBetweenChecks = 1 << 14;
  const std::unique_ptr<StateCursor> cursor_;
  const std::shared_ptr<const std::atomic<bool>> stop_;
};

// One task's view of the database: checks the shard, sends what belongs to no shard to the task's
// first one.
class RocksTaskStateStore final : public TaskStateStore {
 public:
  RocksTaskStateStore(StateDatabase& database, const TaskShards& task,
                      const JobStateOptions& options)
      : database_(database), task_(task), num_shards_(options.num_shards), stop_(options.stop) {}

  absl::Status Write(uint32_t node_id, StateEntries entries) override {
    for (int64_t i = 0; i < entries.size(); ++i) {
      MR_ASSIGN_OR_RETURN(const uint32_t shard, OwnShard(node_id, entries.shard(i)));
      entries.SetShard(i, shard);
    }
    return database_.Write(task_.fragment, node_id, entries);
  }

  using TaskStateStore::Read;
  std::unique_ptr<StateCursor> Read(uint32_t node_id, absl::string_view prefix) override {
    return std::make_unique<StoppableCursor>(
        database_.Read(task_.fragment, node_id, prefix, task_.first_shard, task_.num_shards),
        stop_);
  }

  absl::Status Get(uint32_t node_id, absl::Span<const StateKey> keys,
                   std::vector<std::optional<std::string>>* values) override {
    std::vector<StateKey> own(keys.begin(), keys.end());
    for (StateKey& key : own) {
      MR_ASSIGN_OR_RETURN(key.shard, OwnShard(node_id, key.shard));
    }
    return database_.Get(task_.fragment, node_id, own, values);
  }

  absl::Status ReadPrefixes(uint32_t node_id, absl::Span<const StateKey> prefixes,
                            StateCursor::Visitor visit) override {
    std::vector<StateKey> own(prefixes.begin(), prefixes.end());
    for (StateKey& key : own) {
      MR_ASSIGN_OR_RETURN(key.shard, OwnShard(node_id, key.shard));
    }
    return database_.ReadPrefixes(task_.fragment, node_id, own, visit);
  }

  uint32_t num_shards() const override { return num_shards_; }

 private:
  absl::StatusOr<uint32_t> OwnShard(uint32_t node_id, uint32_t shard) const {
    if (shard >= task_.first_shard && shard < task_.first_shard + task_.num_shards) return shard;
    if (shard == 0) return task_.first_shard;
    return InternalError(absl::StrCat("operator ", node_id, " uses state of shard ", shard,
                                      ", which its task does not own"));
  }

  StateDatabase& database_;
  const TaskShards task_;
  const uint32_t num_shards_;
  const std::shared_ptr<const std::atomic<bool>> stop_;
};

absl::Status RemoveFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!error) return absl::OkStatus();
  return MakeError(SqlState::kIoError,
                   absl::StrCat("cannot remove ", folder, ": ", error.message()));
}

absl::Status LinkFile(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::create_hard_link(from, to, error);
  if (!error) return absl::OkStatus();
  const bool full = error == std::errc::no_space_on_device;
  return MakeError(full ? SqlState::kDiskFull : SqlState::kIoError,
                   absl::StrCat("cannot link ", from, " as ", to, ": ", error.message()));
}

// 0 if there is no such file.
uint64_t InodeOf(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

JobStateStore::~JobStateStore() = default;

absl::StatusOr<std::unique_ptr<JobStateStore>> JobStateStore::Open(
    const JobStateOptions& options, const v1::CheckpointManifest* restore,
    const StateResources& resources, FileSystem& file_system) {
  std::unique_ptr<JobStateStore> store(new JobStateStore(options, file_system));
  for (const TaskShards& task : options.tasks) {
    if (task.num_shards == 0) return InternalError("a task of a streaming job owns no shard");
  }
  MR_RETURN_IF_ERROR(RemoveFolder(options.local_folder));
  const std::string folder = JoinPath(options.local_folder, "db");
  // RocksDB would make it too, but lists it before, and logs an error if there is none.
  MR_RETURN_IF_ERROR(file_system.CreateFolders(folder));
  MR_ASSIGN_OR_RETURN(store->database_, StateDatabase::Open(folder, resources));
  if (restore != nullptr && restore->files_size() > 0) {
    MR_RETURN_IF_ERROR(
        WithContext(store->Restore(*restore),
                    absl::StrCat("cannot restore the checkpoint of epoch ", restore->epoch())));
  }
  return store;
}

std::unique_ptr<TaskStateStore> JobStateStore::ForTask(uint32_t fragment, uint32_t task_index) {
  for (const TaskShards& task : options_.tasks) {
    if (task.fragment == fragment && task.task_index == task_index) {
      return std::make_unique<RocksTaskStateStore>(*database_, task, options_);
    }
  }
  return nullptr;
}

absl::Status JobStateStore::RequireCheckpointFolder() const {
  if (options_.checkpoint_token.has_value()) {
    MR_RETURN_IF_ERROR(CheckOwnFolder(file_system_, "checkpoint-dir",
                                      FolderOf(options_.checkpoint_folder),
                                      *options_.checkpoint_token));
  }
  return RequireFolder(file_system_, options_.checkpoint_folder);
}

absl::Status JobStateStore::Restore(const v1::CheckpointManifest& manifest) {
  std::set<ShardId> owned;
  for (const TaskShards& task : options_.tasks) {
    for (uint32_t i = 0; i < task.num_shards; ++i) {
      owned.insert({task.fragment, task.first_shard + i});
    }
  }
  if (!owned.empty()) MR_RETURN_IF_ERROR(RequireCheckpointFolder());
  const std::string folder = JoinPath(options_.local_folder, "restore");
  MR_RETURN_IF_ERROR(file_system_.CreateFolders(folder));
  std::vector<FetchedFile> fetched;
  std::map<ShardId, std::vector<ShardFile>> by_shard;
  std::map<std::string, const v1::CheckpointFile*> by_name;
  for (const v1::CheckpointFile& file : manifest.files()) {
    const ShardId shard{file.fragment(), file.shard()};
    if (!owned.contains(shard)) continue;
    const std::string name = absl::StrCat(fetched.size(), ".sst");
    by_name[name] = &file;
    by_shard[shard].push_back({shard, folder, name, file.size_bytes(), file.level(),
                               file.smallest_sequence(), file.largest_sequence()});
    fetched.push_back({JoinPath(options_.checkpoint_folder, file.path()), file.size_bytes(),
                       file.checksum_xxh3(), JoinPath(folder, name)});
  }
  MR_RETURN_IF_ERROR(FetchFiles(file_system_, fetched, [this] { return stopped(); }));
  std::map<uint64_t, const v1::CheckpointFile*> by_inode;
  for (const auto& [name, file] : by_name) by_inode[InodeOf(JoinPath(folder, name))] = file;
  for (const auto& [shard, files] : by_shard) {
    if (stopped()) return MakeError(SqlState::kQueryCanceled, "a restore was stopped");
    MR_RETURN_IF_ERROR(database_->Import(shard, files));
  }
  MR_RETURN_IF_ERROR(FindImported(by_inode));
  database_->FinishImport();
  disk_bytes_ = database_->disk_bytes();
  return RemoveFolder(folder);
}

// The database has taken the files over under names of its own. While nothing is compacted, none of
// them goes, so an inode is still the file that it was.
absl::Status JobStateStore::FindImported(
    const std::map<uint64_t, const v1::CheckpointFile*>& by_inode) {
  return database_->VisitFiles([&](const ShardFile& file) {
    const auto it = by_inode.find(InodeOf(JoinPath(file.folder, file.name)));
    if (it != by_inode.end() && it->second->size_bytes() == file.size_bytes) {
      uploaded_[file.name] = std::make_unique<v1::CheckpointFile>(*it->second);
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<v1::CheckpointFile>> JobStateStore::Checkpoint(StopCheck overtaken) {
  MR_FAILPOINT("checkpoint.before_link");
  const std::string linked = JoinPath(options_.local_folder, "checkpoint");
  MR_RETURN_IF_ERROR(RemoveFolder(linked));
  MR_RETURN_IF_ERROR(file_system_.CreateFolders(linked));
  std::map<std::string, ShardFile> live;
  MR_RETURN_IF_ERROR(database_->VisitFiles([&](const ShardFile& file) {
    live[file.name] = file;
    if (uploaded_.contains(file.name)) return absl::OkStatus();
    return LinkFile(JoinPath(file.folder, file.name), JoinPath(linked, file.name));
  }));
  disk_bytes_ = database_->disk_bytes();
  MR_FAILPOINT("checkpoint.after_link");
  MR_RETURN_IF_ERROR(Upload(linked, [&] { return stopped() || overtaken(); }));
  MR_FAILPOINT("checkpoint.after_upload");
  MR_RETURN_IF_ERROR(RemoveFolder(linked));
  std::erase_if(uploaded_, [&](const auto& entry) { return !live.contains(entry.first); });
  std::vector<v1::CheckpointFile> files;
  for (const auto& [name, file] : live) {
    v1::CheckpointFile& out = files.emplace_back(*uploaded_.at(name));
    out.set_worker_id(options_.worker.value());
    out.set_fragment(file.shard.fragment);
    out.set_shard(file.shard.shard);
    // A file can move to another level as it is.
    out.set_level(file.level);
    out.set_smallest_sequence(file.smallest_sequence);
    out.set_largest_sequence(file.largest_sequence);
  }
  return files;
}

// Uploads all files of a folder, and remembers each that is there.
absl::Status JobStateStore::Upload(const std::string& linked_folder, StopCheck stop) {
  const std::string mine = absl::StrCat(options_.attempt.value(), "-w", options_.worker.value());
  const std::string folder = JoinPath(options_.checkpoint_folder, mine);
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> listing, file_system_.List(linked_folder));
  if (listing.empty() && uploads_synced_) return absl::OkStatus();
  uploads_synced_ = false;
  MR_FAILPOINT("checkpoint.before_upload");
  MR_RETURN_IF_ERROR(RequireCheckpointFolder());
  MR_RETURN_IF_ERROR(file_system_.CreateFolders(folder));
  std::vector<UploadedFile> files;
  for (const FileInfo& info : listing) {
    files.push_back({.from = info.path, .to = JoinPath(folder, FileNameOf(info.path))});
  }
  const absl::Status uploaded = UploadFiles(file_system_, files, stop);
  for (const UploadedFile& copied : files) {
    if (!copied.is_there) continue;
    const std::string name = FileNameOf(copied.from);
    auto file = std::make_unique<v1::CheckpointFile>();
    file->set_path(JoinPath(mine, name));
    file->set_size_bytes(copied.size_bytes);
    file->set_checksum_xxh3(copied.checksum_xxh3);
    uploaded_[name] = std::move(file);
  }
  MR_RETURN_IF_ERROR(uploaded);
  MR_RETURN_IF_ERROR(file_system_.SyncFolder(folder));
  uploads_synced_ = true;
  return absl::OkStatus();
}

}  // namespace millrace
