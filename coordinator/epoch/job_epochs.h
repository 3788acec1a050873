#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "coordinator/epoch/task_key.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

// (scan, split)
using SplitKey = std::pair<uint32_t, uint64_t>;
using PositionMap = std::map<SplitKey, v1::SplitPosition>;

// kPlain: rows become visible. kCheckpoint: they are also made durable. kFinal: a checkpoint, and
// the tasks end with it.
enum class EpochKind : uint8_t { kPlain, kCheckpoint, kFinal };

// What is known of an epoch that all tasks of the job have acknowledged.
struct PublishedEpoch {
  uint64_t epoch = 0;
  EpochKind kind = EpochKind::kPlain;
  // How far every split was read.
  PositionMap positions;
  // Least watermark of the tasks that keep or write the result; absent without event time.
  std::optional<int64_t> watermark_micros;
  std::vector<v1::TaskWatermark> task_watermarks;
  // Stored rows and groups that the epoch's changes touched in all operators, and rows of the
  // deltas that it left in the job's views.
  uint64_t rows_touched = 0;
  uint64_t view_rows_changed = 0;
  // Every source had ended.
  bool ended = false;
  // The tasks whose sources had all ended.
  std::set<TaskKey> ended_sources;
};

// The epochs of one attempt of a job: which are in flight, what has been acknowledged, what can be
// read. Pure. Keeps I1: an epoch is published only after every task has acknowledged it, and in
// order.
class JobEpochs {
 public:
  static constexpr size_t kInFlightMax = 2;
  // So many published epochs can be read at least, and, if readers of slower jobs need them, at
  // most.
  static constexpr size_t kKept = 4;
  static constexpr size_t kKeptMax = 64;

  struct Tasks {
    std::set<TaskKey> all;
    // Tasks with a scan: they say when input has ended.
    std::set<TaskKey> sources;
    // Tasks of fragments without a consumer.
    std::set<TaskKey> sinks;
  };

  // `restored`: what the checkpoint holds that the attempt goes on from; epoch 0 without one.
  JobEpochs(Tasks tasks, PublishedEpoch restored);

  // True if another epoch may be started now.
  bool CanStart() const { return in_flight_.size() < kInFlightMax && !final_started_; }
  // `epoch` must be larger than all before. `positions`: how far it reads what the coordinator
  // hands out itself.
  void Start(uint64_t epoch, EpochKind kind, PositionMap positions = {});
  // The cluster passed `epoch`, and this job had nothing to do for it: readers may use it as if it
  // were published.
  void Skip(uint64_t epoch);
  // Returns the epochs that this acknowledgement publishes, oldest first. Acknowledgements of
  // epochs that are not in flight and of unknown tasks, and repeated ones, are ignored.
  std::vector<PublishedEpoch> Acknowledge(const v1::EpochAck& ack);

  // 0 = none yet (also right after a restore: nothing of this attempt can be read).
  uint64_t newest_published() const { return published_.empty() ? 0 : published_.back().epoch; }
  // Every cluster epoch up to this one can be read here, if it is not too old.
  uint64_t complete_through() const { return complete_through_; }
  // Drops what no reader can ask for: keeps kKept epochs, and those that are still needed for a cut
  // at `floor`.
  void Retain(uint64_t floor);
  uint64_t oldest_readable() const { return published_.empty() ? 0 : published_.front().epoch; }
  // The newest published epoch that is not above `epoch`; null if it is not kept (any more).
  const PublishedEpoch* At(uint64_t epoch) const;
  const std::deque<PublishedEpoch>& published() const { return published_; }

  bool has_in_flight() const { return !in_flight_.empty(); }
  // 0 = none.
  uint64_t oldest_in_flight() const {
    return in_flight_.empty() ? 0 : in_flight_.front().record.epoch;
  }
  // Tasks that the oldest epoch in flight waits for, for people.
  std::vector<TaskKey> Awaited() const;
  bool sources_ended() const { return !published_.empty() && published_.back().ended; }
  bool final_started() const { return final_started_; }
  // Rows that had been read at the newest published epoch / at the one before it were different
  // numbers.
  bool newest_had_input() const { return newest_had_input_; }

 private:
  struct InFlight {
    PublishedEpoch record;
    std::set<TaskKey> acknowledged;
    std::set<TaskKey> ended_sources;
  };

  void Apply(const v1::EpochAck& ack, InFlight& epoch);
  PublishedEpoch Publish();

  const Tasks tasks_;
  std::deque<InFlight> in_flight_;
  std::deque<PublishedEpoch> published_;
  PositionMap positions_;
  uint64_t last_started_ = 0;
  uint64_t complete_through_ = 0;
  bool final_started_ = false;
  bool newest_had_input_ = true;
};

// Rows of all splits.
uint64_t RowsRead(const PositionMap& positions);

}  // namespace millrace
