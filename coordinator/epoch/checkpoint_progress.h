#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "coordinator/epoch/job_epochs.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

// The one checkpoint that a job has under way: collects the workers' files, the published epoch and
// the sinks' staged files until the manifest can be written. Pure. Keeps I2: files first, manifest
// second, pointer third.
class CheckpointProgress {
 public:
  // `restored`: the checkpoint that the attempt goes on from; its files need not be written again.
  explicit CheckpointProgress(std::set<WorkerId> workers,
                              const v1::CheckpointManifest& restored = {});

  // False while one is under way.
  bool idle() const { return !epoch_.has_value(); }
  std::optional<uint64_t> epoch() const { return epoch_; }
  void Begin(uint64_t epoch, int64_t now_micros);

  // Staged files of any epoch wait for the first checkpoint at or after it.
  void AddStagedFiles(const v1::EpochAck& ack);
  void OnPublished(const PublishedEpoch& published);
  // A worker's part is durable. Ignored for another epoch.
  void OnWorkerDone(WorkerId worker, const v1::CheckpointDone& done);

  // Once the epoch is published: the workers whose part is not durable yet.
  std::set<WorkerId> Awaited() const;
  // True once all workers are done and the epoch is published: take the manifest, store it, then
  // call Complete.
  bool ReadyToStore() const;
  // Everything but job, attempt, plan hash, placements and time of day. `now_micros`: on the clock
  // of Begin.
  v1::CheckpointManifest TakeManifest(int64_t now_micros);
  void Complete() { epoch_.reset(); }
  // The one under way will not be made; ignored after TakeManifest. What sinks have staged goes
  // with the next one.
  void Abandon();

 private:
  void AddFiles(v1::CheckpointManifest* manifest);
  void AddPositions(v1::CheckpointManifest* manifest) const;

  const std::set<WorkerId> workers_;
  std::optional<uint64_t> epoch_;
  int64_t begun_micros_ = 0;
  bool taken_ = false;
  // Paths of the newest manifest's files.
  std::set<std::string> known_files_;
  std::set<WorkerId> done_;
  std::vector<v1::CheckpointFile> files_;
  std::optional<PublishedEpoch> published_;
  std::map<uint64_t, std::vector<v1::StagedFile>> staged_;
};

// What is listed of a checkpoint. `manifest` is stored under `name`.
v1::CheckpointSummary SummaryOf(const v1::CheckpointManifest& manifest, const std::string& name);

// The positions of a manifest, as JobEpochs keeps them.
PublishedEpoch RestoredEpoch(const v1::CheckpointManifest& manifest);

}  // namespace millrace
