#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"

namespace millrace {

struct StatementThreadsOptions {
  size_t threads_max = 0;
  // What runs on them, in the error of one too many: "statements".
  std::string calls;
  // What lets one more in.
  std::string hint;
};

// Threads for what blocks: statements, watchers, scripts. One thread for each call, at most
// `threads_max` at a time. Thread-safe.
class StatementThreads {
 public:
  // A thread that is kept for a call; whoever drops it gives it back.
  struct GiveBack {
    void operator()(StatementThreads* threads) const;
  };
  using Slot = std::unique_ptr<StatementThreads, GiveBack>;

  explicit StatementThreads(StatementThreadsOptions options) : options_(std::move(options)) {}
  ~StatementThreads() { JoinAll(); }

  // 53000 (retry safe) when all threads are taken.
  absl::StatusOr<Slot> Reserve();
  // `slot` is one of these threads.
  void Run(Slot slot, std::function<void()> work);
  // Both at once.
  absl::Status Run(std::function<void()> work);
  // Waits for all calls; whoever started them must have told them to end, and starts no more.
  void JoinAll();

 private:
  // Takes the threads whose calls are over.
  std::vector<std::thread> TakeFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const StatementThreadsOptions options_;
  Mutex mutex_;
  CondVar finished_changed_;
  std::map<uint64_t, std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> finished_ ABSL_GUARDED_BY(mutex_);
  size_t num_reserved_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
