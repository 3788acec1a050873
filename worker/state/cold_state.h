#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/state/task_state_store.h"

namespace millrace {

// What an operator has still to take over from its store after a restore. It goes to work at once:
// what belongs to a key comes when the key is first asked for, the rest little by little behind the
// work. The store's keys are one byte of kind, the hash of the operator's key as it lies in memory
// (HashRows of a join key, of a partition), and whatever tells entries of one key apart. Entries of
// a key are written only after it was asked for, so each of them comes as it was in the checkpoint.
// Not thread-safe.
class ColdState {
 public:
  static constexpr size_t kPrefixBytes = 1 + sizeof(uint64_t);
  // What an operator loads when it opens, and at each barrier, without being asked.
  static constexpr int64_t kEntriesAtBarrier = 1 << 16;

  // Both outlive this. `kinds`: the first bytes of the operator's keys.
  ColdState(TaskStateStore& store, uint32_t node_id, std::string kinds);

  using Visitor = StateCursor::Visitor;
  // Visits what the store has of keys with these hashes, kinds in the order of `kinds`, as far as
  // it was not visited for the same reason before. May visit what LoadMore has visited.
  absl::Status Ask(absl::Span<const uint64_t> hashes, Visitor visit);
  // After some rows of input: visits more of the others, so that all are there after a time that
  // grows with the state only. Not more than a few milliseconds of work for a usual batch.
  absl::Status LoadBehind(int64_t num_rows, Visitor visit);
  // Visits up to so many more.
  absl::Status LoadMore(int64_t entries_max, Visitor visit);
  // All entries were visited.
  bool is_complete() const { return cursor_ == nullptr; }

 private:
  TaskStateStore& store_;
  const uint32_t node_id_;
  const std::string kinds_;
  std::unique_ptr<StateCursor> cursor_;
  absl::flat_hash_set<uint64_t> asked_;
  // Asked for since the last LoadBehind.
  int64_t num_asked_ = 0;
};

}  // namespace millrace
