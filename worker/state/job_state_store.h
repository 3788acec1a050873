#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "worker/state/checkpoint_transfer.h"
#include "worker/state/state_database.h"
#include "worker/state/task_state_store.h"

namespace millrace {

namespace v1 {
class CheckpointFile;
class CheckpointManifest;
}  // namespace v1

class FileSystem;
struct StateResources;

// The shards of one task that runs on this worker.
struct TaskShards {
  uint32_t fragment = 0;
  uint32_t task_index = 0;
  uint32_t first_shard = 0;
  uint32_t num_shards = 0;
};

struct JobStateOptions {
  JobId job;
  AttemptId attempt;
  WorkerId worker;
  // Folder of this worker for the database; emptied at Open.
  std::string local_folder;
  // The job's folder in checkpoint.dir, shared by all workers.
  std::string checkpoint_folder;
  // What the token file of checkpoint.dir, the folder above, holds as this worker has shown to the
  // coordinator: nothing is read or written in another one. Absent: not known, not compared.
  std::optional<std::string> checkpoint_token;
  uint32_t num_shards = 0;
  std::vector<TaskShards> tasks;
  // Set to true: nothing of the attempt is wanted any more, and all that takes long ends with
  // 57014.
  std::shared_ptr<const std::atomic<bool>> stop;
};

// All durable state of one attempt of a job on this worker: the tasks' stores over one database,
// checkpoints of it, and its making from an older checkpoint, whichever workers wrote that.
//
// A checkpoint is a set of immutable files, each of one shard; a worker uploads those that no
// earlier checkpoint has, below "<attempt>-w<worker>/". A restored database consists of the
// checkpoint's files themselves, so the first checkpoint after a restore names them where they are.
// Files and their folder are fsynced before Checkpoint returns; the coordinator's manifest, then
// its pointer, make them a checkpoint.
class JobStateStore {
 public:
  // `restore` null or without files: starts empty. XX001 if a file of the checkpoint is missing or
  // has another size or checksum. Entries are not read.
  static absl::StatusOr<std::unique_ptr<JobStateStore>> Open(const JobStateOptions& options,
                                                             const v1::CheckpointManifest* restore,
                                                             const StateResources& resources,
                                                             FileSystem& file_system);
  ~JobStateStore();

  // The store of one of options.tasks; does not outlive this.
  std::unique_ptr<TaskStateStore> ForTask(uint32_t fragment, uint32_t task_index);

  // Links and uploads what all tasks have written so far. Called once for each checkpoint epoch
  // when all tasks of this worker have acknowledged it and none has written for a later one; blocks
  // on disk, so not on the task pool. One at a time. `overtaken`: asked now and then whether a
  // later checkpoint is wanted instead; then 57014. After a failure the state is as before, and the
  // next checkpoint goes on with what was uploaded.
  absl::StatusOr<std::vector<v1::CheckpointFile>> Checkpoint(StopCheck overtaken = [] {
    return false;
  });

  // Of the database at the last checkpoint or restore. Waits for nothing: a heartbeat must not wait
  // for a disk.
  uint64_t disk_bytes() const { return disk_bytes_; }

 private:
  JobStateStore(JobStateOptions options, FileSystem& file_system)
      : options_(std::move(options)), file_system_(file_system) {}
  absl::Status RequireCheckpointFolder() const;
  bool stopped() const { return options_.stop != nullptr && *options_.stop; }
  absl::Status Restore(const v1::CheckpointManifest& manifest);
  absl::Status FindImported(const std::map<uint64_t, const v1::CheckpointFile*>& by_inode);
  absl::Status Upload(const std::string& linked_folder, StopCheck stop);

  const JobStateOptions options_;
  FileSystem& file_system_;
  std::unique_ptr<StateDatabase> database_;
  // What the checkpoint folder has, by the file's name in the database.
  std::map<std::string, std::unique_ptr<v1::CheckpointFile>> uploaded_;
  // The names of all of them are durable.
  bool uploads_synced_ = true;
  std::atomic<uint64_t> disk_bytes_{0};
};

}  // namespace millrace
