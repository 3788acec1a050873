#include "coordinator/epoch/kept_row_log.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace millrace {

KeptRowLog::KeptRowLog() : rows_(std::make_shared<const Rows>()) {}

KeptRowLog::KeptRowLog(const v1::CheckpointManifest& manifest)
    : rows_(std::make_shared<const Rows>(manifest.kept_rows().begin(), manifest.kept_rows().end())),
      num_rows_(rows_->size()) {
  for (const v1::KeptRow& row : *rows_) num_bytes_ += row.ByteSizeLong();
}

void KeptRowLog::Add(const v1::EpochAck& ack, int64_t now_micros) {
  for (const v1::KeptRow& row : ack.kept_rows()) {
    if (full()) return;
    v1::KeptRow& kept = waiting_[ack.epoch()].emplace_back(row);
    kept.set_epoch(ack.epoch());
    kept.set_kept_at_micros(now_micros);
    ++num_rows_;
    num_bytes_ += kept.ByteSizeLong();
  }
}

void KeptRowLog::Publish(uint64_t epoch) {
  if (waiting_.empty() || waiting_.begin()->first > epoch) return;
  auto rows = std::make_shared<Rows>(*rows_);
  while (!waiting_.empty() && waiting_.begin()->first <= epoch) {
    Rows& added = waiting_.begin()->second;
    std::sort(added.begin(), added.end(), [](const v1::KeptRow& a, const v1::KeptRow& b) {
      return std::forward_as_tuple(a.scan_id(), a.split_id(), a.position()) <
             std::forward_as_tuple(b.scan_id(), b.split_id(), b.position());
    });
    rows->insert(rows->end(), std::make_move_iterator(added.begin()),
                 std::make_move_iterator(added.end()));
    waiting_.erase(waiting_.begin());
  }
  rows_ = std::move(rows);
}

void KeptRowLog::AddTo(v1::CheckpointManifest* manifest) const {
  for (const v1::KeptRow& row : *rows_) {
    if (row.epoch() <= manifest->epoch()) *manifest->add_kept_rows() = row;
  }
}

}  // namespace millrace
