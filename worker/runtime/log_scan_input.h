#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/expr/evaluator.h"
#include "worker/connectors/source.h"
#include "worker/runtime/batch_coalescer.h"
#include "worker/runtime/scan_mailbox.h"
#include "worker/runtime/task_input.h"

namespace millrace {

struct LogScanOptions {
  std::unique_ptr<Source> source;
  // Null = every row passes. Over the source's columns.
  std::unique_ptr<Evaluator> filter;
  std::shared_ptr<ScanMailbox> mailbox;
  std::weak_ptr<Wakeable> task;
};

// Reads a stored table's log in a streaming job. Splits come without being asked for, whenever a
// version of the table is committed; the first assignment holds what is there when the job starts.
//
// A barrier waits until all splits that were assigned before it are read, and none that was
// assigned after it is begun before. The coordinator sends both in one order to all tasks of all
// scans, so an epoch holds whole versions, and the same ones of every table, whatever the
// parallelism. It also knows how far that is: the acknowledgement carries no positions.
//
// Stored tables have no event time and do not hold it up, but rows that are there at the start come
// before anything closes: the watermark rises to the maximum once they are read. The log never
// ends; for the acknowledgement, what waits for nothing but further versions has ended.
class LogScanInput final : public TaskInput {
 public:
  explicit LogScanInput(LogScanOptions options);
  ~LogScanInput() override;

  absl::Status Open() override;
  absl::StatusOr<std::optional<StreamMessage>> Poll() override;
  absl::string_view waiting_for() const override { return "table"; }
  void Close(CloseReason reason) override;
  std::optional<uint64_t> rows_read() const override { return rows_read_; }

 private:
  struct PendingBarrier {
    Barrier barrier;
    // Passes once so many splits are read.
    uint64_t after_splits = 0;
  };

  void ReadMailbox();
  bool MayBeginSplit() const;
  absl::Status BeginSplit();
  absl::StatusOr<Batch> ReadRows();

  const LogScanOptions options_;
  BatchCoalescer coalescer_;

  std::unique_ptr<ScanMailbox::Content> incoming_;
  std::deque<v1::Split> splits_;
  std::deque<PendingBarrier> barriers_;
  // Since the start.
  uint64_t splits_received_ = 0;
  uint64_t splits_begun_ = 0;
  // Splits of the first assignment; unset before it comes.
  std::optional<uint64_t> initial_splits_;

  bool split_open_ = false;
  uint64_t rows_read_ = 0;
  bool watermark_sent_ = false;
  bool final_barrier_sent_ = false;
  bool over_ = false;
};

}  // namespace millrace
