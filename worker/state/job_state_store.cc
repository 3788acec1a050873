#include "worker/state/job_state_store.h"

#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "common/storage/file_system.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

constexpr size_t kCopyBytes = 1 << 20;

// One task's view of the database: checks the shard, sends what belongs to no shard to the task's
// first one.
class RocksTaskStateStore final : public TaskStateStore {
 public:
  RocksTaskStateStore(StateDatabase& database, const TaskShards& task, uint32_t num_shards)
      : database_(database), task_(task), num_shards_(num_shards) {}

  absl::Status Write(uint32_t node_id, std::vector<StateEntry> entries) override {
    for (StateEntry& entry : entries) {
      const bool owned =
          entry.shard >= task_.first_shard && entry.shard < task_.first_shard + task_.num_shards;
      if (owned) continue;
      if (entry.shard != 0) {
        return InternalError(absl::StrCat("operator ", node_id, " writes state of shard ",
                                          entry.shard, ", which its task does not own"));
      }
      entry.shard = task_.first_shard;
    }
    return database_.Write({task_.fragment, node_id}, std::move(entries));
  }

  absl::Status Restore(uint32_t node_id, Visitor visit) override {
    for (uint32_t i = 0; i < task_.num_shards; ++i) {
      MR_RETURN_IF_ERROR(database_.Scan({task_.fragment, node_id}, task_.first_shard + i, visit));
    }
    return absl::OkStatus();
  }

  uint32_t num_shards() const override { return num_shards_; }

 private:
  StateDatabase& database_;
  const TaskShards task_;
  const uint32_t num_shards_;
};

absl::Status RemoveFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!error) return absl::OkStatus();
  return MakeError(SqlState::kIoError,
                   absl::StrCat("cannot remove ", folder, ": ", error.message()));
}

// Copies a file and fsyncs the copy. Returns size and checksum of what was read.
absl::Status CopyFile(FileSystem& file_system, const std::string& from, const std::string& to,
                      uint64_t* size_bytes, uint64_t* checksum) {
  MR_ASSIGN_OR_RETURN(auto input, file_system.OpenForRead(from));
  MR_ASSIGN_OR_RETURN(auto output, file_system.Create(to));
  std::string buffer(kCopyBytes, '\0');
  Xxh3Stream hash;
  uint64_t offset = 0;
  while (true) {
    MR_ASSIGN_OR_RETURN(const size_t size, input->ReadAt(offset, buffer.size(), buffer.data()));
    if (size == 0) break;
    const absl::string_view bytes(buffer.data(), size);
    hash.Update(bytes);
    MR_RETURN_IF_ERROR(output->Append(bytes));
    offset += size;
  }
  MR_RETURN_IF_ERROR(output->Sync());
  *size_bytes = offset;
  *checksum = hash.Digest();
  return output->Close();
}

}  // namespace

JobStateStore::~JobStateStore() = default;

absl::StatusOr<std::unique_ptr<JobStateStore>> JobStateStore::Open(
    const JobStateOptions& options, const v1::CheckpointManifest* restore,
    const StateResources& resources, FileSystem& file_system) {
  std::unique_ptr<JobStateStore> store(new JobStateStore(options, file_system));
  MR_RETURN_IF_ERROR(RemoveFolder(options.local_folder));
  MR_RETURN_IF_ERROR(file_system.CreateFolders(options.local_folder));
  std::set<uint32_t> shards;
  for (const TaskShards& task : options.tasks) {
    if (task.num_shards == 0) {
      return InternalError("a task of a streaming job owns no shard");
    }
    for (uint32_t i = 0; i < task.num_shards; ++i) shards.insert(task.first_shard + i);
  }
  const std::vector<uint32_t> list(shards.begin(), shards.end());
  MR_ASSIGN_OR_RETURN(store->database_,
                      StateDatabase::Open(JoinPath(options.local_folder, "db"), list, resources));
  if (restore != nullptr && restore->files_size() > 0) {
    MR_RETURN_IF_ERROR(store->Restore(*restore, resources));
  }
  return store;
}

std::unique_ptr<TaskStateStore> JobStateStore::ForTask(uint32_t fragment, uint32_t task_index) {
  for (const TaskShards& task : options_.tasks) {
    if (task.fragment == fragment && task.task_index == task_index) {
      return std::make_unique<RocksTaskStateStore>(*database_, task, options_.num_shards);
    }
  }
  return nullptr;
}

absl::Status JobStateStore::Restore(const v1::CheckpointManifest& manifest,
                                    const StateResources& resources) {
  // The files of each worker of the old attempt, put together again as the folder of a database.
  std::map<uint32_t, std::vector<const v1::CheckpointFile*>> by_worker;
  for (const v1::CheckpointFile& file : manifest.files()) {
    by_worker[file.worker_id()].push_back(&file);
  }
  for (const auto& [worker, files] : by_worker) {
    const std::string folder = JoinPath(options_.local_folder, absl::StrCat("restore-", worker));
    MR_RETURN_IF_ERROR(file_system_.CreateFolders(folder));
    for (const v1::CheckpointFile* file : files) {
      uint64_t size_bytes = 0;
      uint64_t checksum = 0;
      MR_RETURN_IF_ERROR(
          WithContext(CopyFile(file_system_, JoinPath(options_.checkpoint_folder, file->path()),
                               JoinPath(folder, FileNameOf(file->path())), &size_bytes, &checksum),
                      absl::StrCat("checkpoint of epoch ", manifest.epoch())));
      if (size_bytes != file->size_bytes() || checksum != file->checksum_xxh3()) {
        return MakeError(SqlState::kDataCorrupted,
                         absl::StrCat("checkpoint file ", file->path(), " of epoch ",
                                      manifest.epoch(), " is damaged"));
      }
    }
    {
      MR_ASSIGN_OR_RETURN(auto database, StateDatabase::OpenReadOnly(folder, resources));
      MR_RETURN_IF_ERROR(CopyOwnedShards(*database));
    }
    MR_RETURN_IF_ERROR(RemoveFolder(folder));
  }
  return absl::OkStatus();
}

absl::Status JobStateStore::CopyOwnedShards(const StateDatabase& from) {
  for (const TaskShards& task : options_.tasks) {
    for (uint32_t i = 0; i < task.num_shards; ++i) {
      MR_RETURN_IF_ERROR(database_->CopyFrom(from, task.fragment, task.first_shard + i));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::CheckpointFile>> JobStateStore::Checkpoint(Epoch epoch) {
  MR_FAILPOINT("checkpoint.before_link");
  const std::string linked =
      JoinPath(options_.local_folder, absl::StrCat("checkpoint-", epoch.value()));
  MR_RETURN_IF_ERROR(RemoveFolder(linked));
  MR_RETURN_IF_ERROR(database_->Link(linked));

  const std::string mine = absl::StrCat(options_.attempt.value(), "-w", options_.worker.value());
  const std::string sst_folder = absl::StrCat(mine, "/sst");
  const std::string epoch_folder = absl::StrCat(mine, "/e", epoch.value());
  for (const std::string& folder : {sst_folder, epoch_folder}) {
    MR_RETURN_IF_ERROR(file_system_.CreateFolders(JoinPath(options_.checkpoint_folder, folder)));
  }
  std::vector<v1::CheckpointFile> files;
  MR_ASSIGN_OR_RETURN(const std::vector<FileInfo> listing, file_system_.List(linked));
  for (const FileInfo& info : listing) {
    const std::string name = FileNameOf(info.path);
    if (!absl::EndsWith(name, ".sst")) {
      MR_ASSIGN_OR_RETURN(auto file, Upload(info.path, absl::StrCat(epoch_folder, "/", name)));
      files.push_back(std::move(file));
      continue;
    }
    auto& known = uploaded_[name];
    if (known == nullptr) {
      MR_ASSIGN_OR_RETURN(auto file, Upload(info.path, absl::StrCat(sst_folder, "/", name)));
      known = std::make_unique<v1::CheckpointFile>(std::move(file));
    }
    files.push_back(*known);
  }
  for (const std::string& folder : {sst_folder, epoch_folder}) {
    MR_RETURN_IF_ERROR(file_system_.SyncFolder(JoinPath(options_.checkpoint_folder, folder)));
  }
  MR_FAILPOINT("checkpoint.after_upload");
  MR_RETURN_IF_ERROR(RemoveFolder(linked));
  return files;
}

absl::StatusOr<v1::CheckpointFile> JobStateStore::Upload(const std::string& local_path,
                                                         const std::string& relative_path) {
  uint64_t size_bytes = 0;
  uint64_t checksum = 0;
  MR_RETURN_IF_ERROR(CopyFile(file_system_, local_path,
                              JoinPath(options_.checkpoint_folder, relative_path), &size_bytes,
                              &checksum));
  v1::CheckpointFile file;
  file.set_path(relative_path);
  file.set_size_bytes(size_bytes);
  file.set_checksum_xxh3(checksum);
  file.set_worker_id(options_.worker.value());
  return file;
}

}  // namespace millrace
