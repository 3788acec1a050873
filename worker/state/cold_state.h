#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/types/batch.h"
#include "worker/state/state_entries.h"
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
  // What comes unasked: at each barrier, and when an operator opens, …
  static constexpr int64_t kEntriesAtBarrier = 1 << 16;
  // … and for each row of input.
  static constexpr int64_t kEntriesPerRow = 2;
  static constexpr int64_t kAllEntries = INT64_MAX;

  // First bytes of the operator's keys.
  struct Kinds {
    // Those that come from here, in the order in which they are needed.
    std::string taken;
    // What the operator reads by itself.
    std::string skipped = {};
  };
  // Puts many entries of a kind into the operator's memory: keys without kind and hash, the shard
  // is not set. Kinds come in their order. Some may come again while they are there already, and
  // those that are there are newer.
  using Taker = std::function<absl::Status(char kind, const StateEntries& entries)>;

  // All is there.
  ColdState() = default;
  // Nothing is there. `store`, and what `take` refers to, outlive this.
  ColdState(TaskStateStore& store, uint32_t node_id, Kinds kinds, Taker take);

  // Before rows are worked on: takes what the store has of their keys, which lie in `columns`, and
  // some more, so that all is there after a time that grows with the state only. Not more than a
  // few milliseconds of work for a usual batch.
  absl::Status LoadFor(const Batch& rows, absl::Span<const int> columns);
  // The same for keys with these hashes, one for each row.
  absl::Status LoadFor(absl::Span<const uint64_t> hashes);
  // Takes up to so many more; kAllEntries: until all is there.
  absl::Status LoadMore(int64_t entries_max);
  // All was taken; from then on the calls above do nothing.
  bool is_complete() const { return cursor_ == nullptr; }

 private:
  // Most rows of a batch have keys that some other row had before: they are told by a look at one
  // of so many places.
  static constexpr size_t kRecentHashes = 1 << 11;

  // Collects the hashes that nobody has asked for yet.
  void FindFresh(absl::Span<const uint64_t> hashes);
  // Takes what the store has of them.
  absl::Status TakeFresh();
  absl::Status TakeOthers(int64_t entries_max);
  absl::Status Take(absl::string_view key, absl::string_view value);
  // Hands on what was taken.
  absl::Status Flush();

  TaskStateStore* store_ = nullptr;
  uint32_t node_id_ = 0;
  Kinds kinds_;
  Taker take_;
  std::unique_ptr<StateCursor> cursor_;
  absl::flat_hash_set<uint64_t> asked_;
  // Some of asked_, each where its lowest bits say.
  std::vector<uint64_t> recent_;
  // By kind: what was taken and not handed on.
  std::vector<StateEntries> entries_;
  // Scratch.
  std::vector<uint64_t> hashes_;
  std::vector<uint64_t> fresh_;
  std::vector<StateKey> prefixes_;
  std::string prefix_bytes_;
};

}  // namespace millrace
