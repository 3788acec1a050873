#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "worker/kernels/row_codec.h"
#include "worker/state/task_state_store.h"
#include "worker/state/view_store.h"

namespace millrace {

// Where the rows of a restored view come from.
struct StoredViewRows {
  ViewPart part;
  std::vector<SqlType> types;
  // True: entries are key → row; false: row → how often it occurs.
  bool keyed = false;
};

// Reads the rows of a restored part of a view from the state store on a thread of its own and hands
// them to the view store, while the part's task goes on. Thread-safe.
class ViewLoading {
 public:
  // `on_done` is called from the thread when the rows are there, or could not be read.
  ViewLoading(StoredViewRows stored, std::unique_ptr<StateCursor> cursor, ViewStore& views,
              std::function<void()> on_done);
  // Stops reading if it is not done.
  ~ViewLoading();
  ViewLoading(const ViewLoading&) = delete;
  ViewLoading& operator=(const ViewLoading&) = delete;

  bool done() const { return done_; }
  // What went wrong; OK while it is not done.
  absl::Status status() const;
  // Rows that were there at the restore, by multiplicity; once it is done.
  int64_t num_rows() const { return num_rows_; }

 private:
  void RunThread();
  absl::Status ReadRows(std::vector<Batch>* rows);
  absl::Status AppendBatch(std::vector<Batch>* rows);

  const StoredViewRows stored_;
  const RowCodec codec_;
  const std::unique_ptr<StateCursor> cursor_;
  ViewStore& views_;
  const std::function<void()> on_done_;
  // Of the next batch; only for the thread.
  std::vector<std::string> encoded_;
  std::vector<int64_t> weights_;
  int64_t num_rows_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> done_{false};
  mutable Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace millrace
