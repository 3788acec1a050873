#include "coordinator/epoch/checkpoint_progress.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/check.h"

namespace millrace {

CheckpointProgress::CheckpointProgress(std::set<WorkerId> workers,
                                       const v1::CheckpointManifest& restored)
    : workers_(std::move(workers)) {
  for (const v1::CheckpointFile& file : restored.files()) known_files_.insert(file.path());
}

void CheckpointProgress::Begin(uint64_t epoch, int64_t now_micros) {
  MR_CHECK(idle());
  epoch_ = epoch;
  begun_micros_ = now_micros;
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

void CheckpointProgress::Abandon() {
  if (!taken_) epoch_.reset();
}

std::set<WorkerId> CheckpointProgress::Awaited() const {
  std::set<WorkerId> awaited;
  if (!epoch_.has_value() || taken_ || !published_.has_value()) return awaited;
  std::set_difference(workers_.begin(), workers_.end(), done_.begin(), done_.end(),
                      std::inserter(awaited, awaited.end()));
  return awaited;
}

bool CheckpointProgress::ReadyToStore() const {
  return epoch_.has_value() && !taken_ && published_.has_value() && done_.size() == workers_.size();
}

v1::CheckpointManifest CheckpointProgress::TakeManifest(int64_t now_micros) {
  MR_CHECK(ReadyToStore());
  taken_ = true;
  v1::CheckpointManifest manifest;
  manifest.set_epoch(*epoch_);
  manifest.set_duration_micros(now_micros - begun_micros_);
  AddFiles(&manifest);
  AddPositions(&manifest);
  for (const v1::TaskWatermark& watermark : published_->task_watermarks) {
    *manifest.add_watermarks() = watermark;
  }
  for (auto it = staged_.begin(); it != staged_.end() && it->first <= *epoch_;
       it = staged_.erase(it)) {
    for (v1::StagedFile& file : it->second) *manifest.add_pending_files() = std::move(file);
  }
  return manifest;
}

void CheckpointProgress::AddFiles(v1::CheckpointManifest* manifest) {
  std::set<std::string> paths;
  uint64_t uploaded_bytes = 0;
  for (v1::CheckpointFile& file : files_) {
    if (paths.insert(file.path()).second && !known_files_.contains(file.path())) {
      uploaded_bytes += file.size_bytes();
    }
    *manifest->add_files() = std::move(file);
  }
  manifest->set_uploaded_bytes(uploaded_bytes);
  known_files_ = std::move(paths);
}

void CheckpointProgress::AddPositions(v1::CheckpointManifest* manifest) const {
  v1::ScanPositions* scan = nullptr;
  for (const auto& [key, position] : published_->positions) {
    if (scan == nullptr || scan->scan_id() != key.first) {
      scan = manifest->add_scans();
      scan->set_scan_id(key.first);
    }
    *scan->add_positions() = position;
  }
}

v1::CheckpointSummary SummaryOf(const v1::CheckpointManifest& manifest, const std::string& name) {
  v1::CheckpointSummary summary;
  summary.set_epoch(manifest.epoch());
  summary.set_attempt(manifest.attempt());
  summary.set_manifest(name);
  summary.set_created_at_micros(manifest.created_at_micros());
  summary.set_duration_micros(manifest.duration_micros());
  std::set<std::string> paths;
  uint64_t size_bytes = 0;
  for (const v1::CheckpointFile& file : manifest.files()) {
    if (paths.insert(file.path()).second) size_bytes += file.size_bytes();
  }
  summary.set_num_files(static_cast<uint32_t>(paths.size()));
  summary.set_size_bytes(size_bytes);
  summary.set_uploaded_bytes(manifest.uploaded_bytes());
  return summary;
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
