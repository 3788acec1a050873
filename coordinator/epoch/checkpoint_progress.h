#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
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
  explicit CheckpointProgress(std::set<WorkerId> workers) : workers_(std::move(workers)) {}

  // False while one is under way.
  bool idle() const { return !epoch_.has_value(); }
  std::optional<uint64_t> epoch() const { return epoch_; }
  void Begin(uint64_t epoch);

  // Staged files of any epoch wait for the first checkpoint at or after it.
  void AddStagedFiles(const v1::EpochAck& ack);
  void OnPublished(const PublishedEpoch& published);
  // A worker's part is durable. Ignored for another epoch.
  void OnWorkerDone(WorkerId worker, const v1::CheckpointDone& done);

  // True once all workers are done and the epoch is published: take the manifest, store it, then
  // call Complete.
  bool ReadyToStore() const;
  // Everything but job, attempt, plan hash, placements and time.
  v1::CheckpointManifest TakeManifest();
  void Complete() { epoch_.reset(); }

 private:
  const std::set<WorkerId> workers_;
  std::optional<uint64_t> epoch_;
  bool taken_ = false;
  std::set<WorkerId> done_;
  std::vector<v1::CheckpointFile> files_;
  std::optional<PublishedEpoch> published_;
  std::map<uint64_t, std::vector<v1::StagedFile>> staged_;
};

// The positions of a manifest, as JobEpochs keeps them.
PublishedEpoch RestoredEpoch(const v1::CheckpointManifest& manifest);

}  // namespace millrace
