#include "coordinator/epoch/checkpoint_progress.h"

#include "common/base/check.h"

namespace millrace {

void CheckpointProgress::Begin(uint64_t epoch) {
  MR_CHECK(idle());
  epoch_ = epoch;
  taken_ = false;
  done_.clear();
  files_.clear();
  published_.reset();
}

void CheckpointProgress::AddStagedFiles(const v1::EpochAck& ack) {
  if (ack.staged_files().empty()) return;
  std::vector<v1::StagedFile>& staged = staged_[ack.epoch()];
  staged.insert(staged.end(), ack.staged_files().begin(), ack.staged_files().end());
}

void CheckpointProgress::OnPublished(const PublishedEpoch& published) {
  if (epoch_ == published.epoch) published_ = published;
}

void CheckpointProgress::OnWorkerDone(WorkerId worker, const v1::CheckpointDone& done) {
  if (epoch_ != done.epoch() || !workers_.contains(worker)) return;
  if (!done_.insert(worker).second) return;
  for (const v1::CheckpointFile& file : done.files()) {
    files_.push_back(file);
    files_.back().set_worker_id(worker.value());
  }
}

bool CheckpointProgress::ReadyToStore() const {
  return epoch_.has_value() && !taken_ && published_.has_value() && done_.size() == workers_.size();
}

v1::CheckpointManifest CheckpointProgress::TakeManifest() {
  MR_CHECK(ReadyToStore());
  taken_ = true;
  v1::CheckpointManifest manifest;
  manifest.set_format_version(2);
  manifest.set_epoch(*epoch_);
  for (v1::CheckpointFile& file : files_) *manifest.add_files() = std::move(file);
  v1::ScanPositions* scan = nullptr;
  for (const auto& [key, position] : published_->positions) {
    if (scan == nullptr || scan->scan_id() != key.first) {
      scan = manifest.add_scans();
      scan->set_scan_id(key.first);
    }
    *scan->add_positions() = position;
  }
  for (const v1::TaskWatermark& watermark : published_->task_watermarks) {
    *manifest.add_watermarks() = watermark;
  }
  for (auto it = staged_.begin(); it != staged_.end() && it->first <= *epoch_;
       it = staged_.erase(it)) {
    for (v1::StagedFile& file : it->second) *manifest.add_pending_files() = std::move(file);
  }
  return manifest;
}

PublishedEpoch RestoredEpoch(const v1::CheckpointManifest& manifest) {
  PublishedEpoch restored;
  restored.epoch = manifest.epoch();
  restored.kind = EpochKind::kCheckpoint;
  for (const v1::ScanPositions& scan : manifest.scans()) {
    for (const v1::SplitPosition& position : scan.positions()) {
      restored.positions[{scan.scan_id(), position.split_id()}] = position;
    }
  }
  return restored;
}

}  // namespace millrace
