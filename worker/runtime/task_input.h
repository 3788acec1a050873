#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/runtime/stream_message.h"

namespace millrace {

namespace v1 {
class EpochAck;
class KeptRow;
}  // namespace v1

// Why an end of a task is closed. kFinished: the other side may stop and all is well (LIMIT
// reached, or everything was read). kAborted: the task failed or was cancelled; the other side
// hears of that from the coordinator.
enum class CloseReason : uint8_t { kFinished, kAborted };

// Rows that never left a scan.
struct DroppedRows {
  uint64_t late = 0;
  uint64_t bad = 0;
};

// What the receiving end of an exchange has got.
struct ReceivedCounts {
  uint32_t exchange = 0;
  uint64_t rows = 0;
  uint64_t local_bytes = 0;
  uint64_t remote_bytes = 0;
};

// How far a scan has come in event time.
struct ScanTime {
  uint32_t scan_id = 0;
  // All that it reads may grow, and nothing has come for long.
  bool idle = false;
  // No row with a smaller time leaves the scan.
  int64_t watermark_micros = Watermark::kMinWatermark;
};

// A leaf of a task's operator tree: a scan, or the receiving end of an exchange. Combines its
// splits or channels into one stream: watermarks are their minimum, a barrier comes when all have
// reached it. Called only from the task's thread.
class TaskInput {
 public:
  virtual ~TaskInput() = default;
  virtual absl::Status Open() = 0;
  // The next message; none if there is nothing now, and then the task is woken when that may have
  // changed. EndOfStream comes once, last. Not called after Close.
  virtual absl::StatusOr<std::optional<StreamMessage>> Poll() = 0;
  // What the last Poll without a message waits for: "input", "split", "rate".
  virtual absl::string_view waiting_for() const = 0;
  // Gives up whatever has not been read. May be called twice.
  virtual void Close(CloseReason reason) = 0;

  // Adds where the splits of a scan stood at the barrier of `epoch`, which Poll has given out;
  // takes back `ended`, which the caller has set, if some split had not ended.
  virtual void FillAck(uint64_t /*epoch*/, v1::EpochAck* /*ack*/) {}
  virtual DroppedRows dropped_rows() const { return {}; }
  // Moves the malformed rows that a scan has kept and no acknowledgement has taken to the end of
  // *rows. Bounded tasks call it once, before Close.
  virtual void TakeKeptRows(std::vector<v1::KeptRow>* /*rows*/) {}
  // Rows that a scan has read, before it set late rows apart and filtered; absent: as many as it
  // has given out.
  virtual std::optional<uint64_t> rows_read() const { return std::nullopt; }
  // Absent unless this is a scan with event time.
  virtual std::optional<ScanTime> scan_time() const { return std::nullopt; }
  // Absent unless this is the end of an exchange.
  virtual std::optional<ReceivedCounts> received() const { return std::nullopt; }
};

}  // namespace millrace
