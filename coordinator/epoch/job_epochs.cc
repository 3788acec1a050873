#include "coordinator/epoch/job_epochs.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace {

JobEpochs::JobEpochs(Tasks tasks, PublishedEpoch restored)
    : tasks_(std::move(tasks)),
      positions_(std::move(restored.positions)),
      last_started_(restored.epoch),
      complete_through_(0) {
  MR_CHECK(!tasks_.all.empty());
}

void JobEpochs::Start(uint64_t epoch, EpochKind kind, PositionMap positions) {
  MR_CHECK(CanStart());
  MR_CHECK(epoch > last_started_);
  last_started_ = epoch;
  final_started_ = kind == EpochKind::kFinal;
  InFlight in_flight;
  in_flight.record.epoch = epoch;
  in_flight.record.kind = kind;
  in_flight.record.positions = std::move(positions);
  in_flight_.push_back(std::move(in_flight));
}

void JobEpochs::Skip(uint64_t epoch) {
  if (in_flight_.empty() && !published_.empty()) {
    complete_through_ = std::max(complete_through_, epoch);
  }
}

std::vector<PublishedEpoch> JobEpochs::Acknowledge(const v1::EpochAck& ack) {
  const TaskKey task{ack.fragment(), ack.task_index()};
  auto it = std::find_if(in_flight_.begin(), in_flight_.end(), [&ack](const InFlight& epoch) {
    return epoch.record.epoch == ack.epoch();
  });
  std::vector<PublishedEpoch> published;
  if (it == in_flight_.end() || !tasks_.all.contains(task)) return published;
  if (!it->acknowledged.insert(task).second) return published;
  Apply(ack, *it);
  while (!in_flight_.empty() && in_flight_.front().acknowledged.size() == tasks_.all.size()) {
    published.push_back(Publish());
  }
  return published;
}

void JobEpochs::Apply(const v1::EpochAck& ack, InFlight& epoch) {
  const TaskKey task{ack.fragment(), ack.task_index()};
  PublishedEpoch& record = epoch.record;
  for (const v1::ScanPositions& scan : ack.scans()) {
    for (const v1::SplitPosition& position : scan.positions()) {
      record.positions[{scan.scan_id(), position.split_id()}] = position;
    }
  }
  record.rows_touched += ack.rows_touched();
  record.view_rows_changed += ack.view_rows_changed();
  if (ack.ended()) epoch.ended_sources.insert(task);
  if (!ack.has_watermark()) return;
  v1::TaskWatermark watermark;
  watermark.set_fragment(task.fragment);
  watermark.set_task_index(task.task_index);
  watermark.set_watermark_micros(ack.watermark_micros());
  record.task_watermarks.push_back(std::move(watermark));
}

PublishedEpoch JobEpochs::Publish() {
  InFlight epoch = std::move(in_flight_.front());
  in_flight_.pop_front();
  MR_CHECK(epoch.record.epoch > newest_published());
  PublishedEpoch& record = epoch.record;
  const uint64_t rows_before = RowsRead(positions_);
  for (auto& [key, position] : record.positions) positions_[key] = position;
  record.positions = positions_;
  newest_had_input_ = published_.empty() || RowsRead(positions_) != rows_before;
  record.ended_sources = epoch.ended_sources;
  record.ended = std::includes(epoch.ended_sources.begin(), epoch.ended_sources.end(),
                               tasks_.sources.begin(), tasks_.sources.end());
  // A sink without a watermark has not seen one yet: then there is none for the whole.
  size_t sinks_with_watermark = 0;
  for (const v1::TaskWatermark& watermark : record.task_watermarks) {
    if (!tasks_.sinks.contains({watermark.fragment(), watermark.task_index()})) continue;
    ++sinks_with_watermark;
    record.watermark_micros =
        std::min(record.watermark_micros.value_or(INT64_MAX), watermark.watermark_micros());
  }
  if (sinks_with_watermark < tasks_.sinks.size()) record.watermark_micros.reset();
  complete_through_ = std::max(complete_through_, record.epoch);
  published_.push_back(record);
  return std::move(epoch.record);
}

void JobEpochs::Retain(uint64_t floor) {
  while (published_.size() > kKept) {
    // The second oldest serves the cut at `floor` as well, or nobody may need so many.
    if (published_[1].epoch > floor && published_.size() <= kKeptMax) return;
    published_.pop_front();
  }
}

const PublishedEpoch* JobEpochs::At(uint64_t epoch) const {
  const PublishedEpoch* found = nullptr;
  for (const PublishedEpoch& record : published_) {
    if (record.epoch <= epoch) found = &record;
  }
  return found;
}

std::vector<TaskKey> JobEpochs::Awaited() const {
  std::vector<TaskKey> awaited;
  if (in_flight_.empty()) return awaited;
  const std::set<TaskKey>& done = in_flight_.front().acknowledged;
  std::set_difference(tasks_.all.begin(), tasks_.all.end(), done.begin(), done.end(),
                      std::back_inserter(awaited));
  return awaited;
}

uint64_t RowsRead(const PositionMap& positions) {
  uint64_t rows = 0;
  for (const auto& [key, position] : positions) rows += position.rows();
  return rows;
}

}  // namespace millrace
