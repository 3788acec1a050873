#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
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
  uint32_t num_shards = 0;
  std::vector<TaskShards> tasks;
};

// All durable state of one attempt of a job on this worker: the tasks' stores over one database,
// checkpoints of it, and its making from an older checkpoint, whichever workers wrote that.
//
// A checkpoint's files: immutable SST files once each, below "<attempt>-w<worker>/sst/", the small
// files of the database below "<attempt>-w<worker>/e<epoch>/". They are written, fsynced and their
// folders fsynced before Checkpoint returns; the coordinator's manifest, then its pointer, make
// them a checkpoint.
class JobStateStore {
 public:
  // `restore` null or without files: starts empty. XX001 if a file of the checkpoint is missing or
  // has another size or checksum.
  static absl::StatusOr<std::unique_ptr<JobStateStore>> Open(const JobStateOptions& options,
                                                             const v1::CheckpointManifest* restore,
                                                             const StateResources& resources,
                                                             FileSystem& file_system);
  ~JobStateStore();

  // The store of one of options.tasks; does not outlive this.
  std::unique_ptr<TaskStateStore> ForTask(uint32_t fragment, uint32_t task_index);

  // Links and uploads what all tasks have written so far. Called once for each checkpoint epoch
  // when all tasks of this worker have acknowledged it and none has written for a later one; blocks
  // on disk, so not on the task pool. One at a time.
  absl::StatusOr<std::vector<v1::CheckpointFile>> Checkpoint(Epoch epoch);

 private:
  JobStateStore(JobStateOptions options, FileSystem& file_system)
      : options_(std::move(options)), file_system_(file_system) {}
  absl::Status Restore(const v1::CheckpointManifest& manifest, const StateResources& resources);
  absl::Status CopyOwnedShards(const StateDatabase& from);
  absl::StatusOr<v1::CheckpointFile> Upload(const std::string& local_path,
                                            const std::string& relative_path);

  const JobStateOptions options_;
  FileSystem& file_system_;
  std::unique_ptr<StateDatabase> database_;
  // Uploaded SST files by name.
  std::map<std::string, std::unique_ptr<v1::CheckpointFile>> uploaded_;
};

}  // namespace millrace
