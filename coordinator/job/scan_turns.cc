#include "coordinator/job/scan_turns.h"

#include <algorithm>
#include <utility>

namespace millrace {

ScanTurns::ScanTurns(std::set<SplitKey> suspects, uint64_t rows_read)
    : suspects_(std::move(suspects)), rows_read_(rows_read) {}

void ScanTurns::OnAck(const v1::EpochAck& ack) {
  std::set<uint32_t> heard;
  for (const v1::ScanPositions& scan : ack.scans()) {
    // The first entry of a scan is what it has open.
    if (!heard.insert(scan.scan_id()).second) continue;
    const Task task{scan.scan_id(), ack.task_index()};
    if (scan.positions().empty()) {
      open_.erase(task);
    } else {
      open_[task] = scan.positions(0);
    }
  }
}

ScanTurns::OpenSplits::const_iterator ScanTurns::NextTurn() const {
  const auto suspect =
      std::find_if(open_.begin(), open_.end(), [this](const OpenSplits::value_type& open) {
        return suspects_.contains({open.first.scan_id, open.second.split_id()});
      });
  if (suspect != open_.end()) return suspect;
  if (!suspects_.empty() && awaited_epochs_ < kAwaitEpochsMax) return open_.end();
  const auto next = last_turn_.has_value() ? open_.upper_bound(*last_turn_) : open_.begin();
  return next == open_.end() ? open_.begin() : next;
}

bool ScanTurns::reads_next(const RestartPolicy::ReadLimit& limit) const {
  if (!begun_) return false;
  if (limit.in_turns) return NextTurn() != open_.end();
  return !open_.empty() || awaited_epochs_ >= kAwaitEpochsMax;
}

bool ScanTurns::next_at_once(const RestartPolicy::ReadLimit& limit) const {
  if (!reads_next(limit)) return false;
  return num_rows_ >= rows_max_ || (limit.in_turns && turns_in_vain_ < open_.size());
}

v1::ScanAllowance ScanTurns::Begin(const RestartPolicy::ReadLimit& limit, Read read) {
  const bool reads = read == Read::kRows && reads_next(limit);
  // What waits for a checkpoint is still being read.
  if (read == Read::kRows) reading_.clear();
  if (begun_ && read == Read::kRows && !reads) ++awaited_epochs_;
  begun_ = true;
  num_rows_ = 0;
  rows_max_ = reads ? limit.rows_max : 0;
  v1::ScanAllowance allowance;
  allowance.set_rows_max(rows_max_);
  if (!reads) return allowance;
  if (!limit.in_turns) {
    for (const auto& [task, position] : open_) {
      reading_[{task.scan_id, position.split_id()}] = position;
    }
    return allowance;
  }
  const auto turn = NextTurn();
  const SplitKey split{turn->first.scan_id, turn->second.split_id()};
  if (suspects_.erase(split) == 0) suspects_.clear();
  last_turn_ = turn->first;
  reading_[split] = turn->second;
  allowance.mutable_only()->set_scan_id(turn->first.scan_id);
  allowance.mutable_only()->set_task_index(turn->first.task_index);
  return allowance;
}

void ScanTurns::OnPublished(uint64_t rows_read) {
  num_rows_ = rows_read - std::min(rows_read, rows_read_);
  rows_read_ = rows_read;
  if (rows_max_ == 0) return;
  has_input_ = num_rows_ > 0;
  turns_in_vain_ = has_input_ ? 0 : turns_in_vain_ + 1;
  if (!has_input_) reading_.clear();
}

}  // namespace millrace
