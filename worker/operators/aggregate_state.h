#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "worker/kernels/aggregate_set.h"
#include "worker/kernels/group_table.h"
#include "worker/kernels/row_codec.h"
#include "worker/operators/aggregate_plan.h"
#include "worker/state/task_state_store.h"

namespace millrace {

// The groups of an aggregation over unbounded input: keys, accumulators, and what the state store
// has of them.
//
// In the store: 'g' key → number of rows, accumulator columns; 'd' call, key, value → multiplicity,
// for aggregates that keep their values. Only what changed since the last checkpoint is written.
class AggregateState {
 public:
  static absl::StatusOr<std::unique_ptr<AggregateState>> Create(const AggregatePlan& plan);

  // The group of each row; new ones are empty. Groups that only the store has come from there.
  absl::Status FindGroups(const Batch& batch, uint32_t* groups);
  // Adds the rows to their groups; accumulator columns in the FINAL phase.
  absl::Status Update(const Batch& batch, const uint32_t* groups);

  // The group of an aggregation without keys, before it has any rows.
  void AddEmptyGroup();

  uint32_t num_groups() const { return groups_.size(); }
  // Rows of a group, by weight. 0: the group does not exist any more.
  int64_t row_count(uint32_t group) const { return row_counts_[group]; }
  std::vector<std::shared_ptr<arrow::Array>> Keys(absl::Span<const uint32_t> groups) const;
  absl::Status Results(absl::Span<const uint32_t> groups, AggregateSet::Columns* columns) const {
    return aggregates_->Results(groups, columns);
  }

  // The group is over (its window has closed): its state goes, and it must not be asked for again.
  void Close(uint32_t group);
  bool is_closed(uint32_t group) const { return (flags_[group] & kClosed) != 0; }

  // Hands the changes since the last call to the store.
  absl::Status Write(TaskStateStore& store, uint32_t node_id);

  // What the store has; before anything else. kAll: all groups are there when this returns.
  // kAsNeeded: a group comes from the store when it is first asked for, and LoadMore brings the
  // others; until is_loaded() the rest counts only what came. `store` outlives this. Aggregates
  // that keep their values one by one always load all.
  enum class Loading { kAll, kAsNeeded };
  absl::Status Restore(TaskStateStore& store, uint32_t node_id, Loading loading);
  absl::Status LoadMore(int64_t entries_max);
  bool is_loaded() const { return cursor_ == nullptr; }

  // Frees what empty and closed groups hold, once they are many and everything is loaded: until
  // then, what is here is newer than what the store has. Only between epochs: ids change. True if
  // they did.
  bool Compact();

  int64_t num_live() const { return num_groups() - num_dead_; }
  int64_t bytes() const;

 private:
  enum Flag : uint8_t {
    // Differs from what the store has.
    kDirty = 1,
    // The store has an entry.
    kStored = 2,
    kClosed = 4,
  };
  struct StoredDetails;

  AggregateState(const AggregatePlan& plan, std::unique_ptr<AggregateSet> aggregates);
  void MarkDirty(uint32_t group);
  // Without keys the one group is there even if it has no rows.
  bool is_dead(uint32_t group) const {
    return is_closed(group) || (has_keys_ && row_counts_[group] == 0);
  }
  void GrowGroups(uint32_t before);
  // Encoded keys and shards of some groups.
  void EncodeKeys(absl::Span<const uint32_t> groups, uint32_t num_shards);
  absl::Status AppendGroupEntries(StateEntries* entries);
  void AppendDetailEntries(uint32_t num_shards, StateEntries* entries);
  // Visits entries and puts them into groups, many together.
  absl::StatusOr<bool> LoadEntries(StateCursor& cursor, int64_t entries_max);
  // Enters groups as the store has them. Those that are here already stay as they are.
  absl::Status RestoreGroups(const StateEntries& stored);
  absl::Status RestoreValues(const std::vector<uint32_t>& groups,
                             const std::vector<std::string_view>& values);
  absl::Status RestoreDetails(const StoredDetails& details);
  absl::Status GroupsOfKeys(const std::vector<std::string_view>& keys,
                            std::vector<uint32_t>* groups);
  // Gets groups [begin, num_groups) from the store, as far as it has them.
  absl::Status LookUpGroups(uint32_t begin);

  const AggregatePlan plan_;
  const std::vector<int> key_positions_;
  const RowCodec key_codec_;
  const RowCodec value_codec_;
  const bool has_keys_;
  GroupTable groups_;
  std::unique_ptr<AggregateSet> aggregates_;
  FlatVector<int64_t> row_counts_;
  FlatVector<uint8_t> flags_;
  std::vector<uint32_t> dirty_;
  int64_t num_dead_ = 0;
  // While groups are still to come from the store.
  std::unique_ptr<StateCursor> cursor_;
  TaskStateStore* store_ = nullptr;
  uint32_t node_id_ = 0;
  // Scratch of EncodeKeys.
  EncodedRows encoded_keys_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> shards_;
};

}  // namespace millrace
