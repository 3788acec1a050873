#include "worker/operators/aggregate_state.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/hash.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

constexpr char kGroupEntry = 'g';
constexpr char kDetailEntry = 'd';
// Entries that are restored together.
constexpr int64_t kRestoreRows = 8192;
// Fewer dead groups than this are not worth moving the others.
constexpr int64_t kCompactGroupsMin = 1024;

absl::Status Corrupt() {
  return MakeError(SqlState::kDataCorrupted, "stored state of an aggregation has a wrong form");
}

// Takes a fixed-width number off the front.
template <typename T>
bool TakeRaw(std::string_view* bytes, T* value) {
  if (bytes->size() < sizeof(T)) return false;
  std::memcpy(value, bytes->data(), sizeof(T));
  bytes->remove_prefix(sizeof(T));
  return true;
}

}  // namespace

// Details of one call that wait to be restored together.
struct AggregateState::StoredDetails {
  int call = 0;
  // Of each group and value; the keys are the groups'.
  StateEntries values;
  std::vector<int64_t> counts;
};

absl::StatusOr<std::unique_ptr<AggregateState>> AggregateState::Create(const AggregatePlan& plan) {
  MR_ASSIGN_OR_RETURN(auto aggregates, plan.MakeAggregates());
  return std::unique_ptr<AggregateState>(new AggregateState(plan, std::move(aggregates)));
}

AggregateState::AggregateState(const AggregatePlan& plan, std::unique_ptr<AggregateSet> aggregates)
    : plan_(plan),
      key_positions_(FirstColumns(static_cast<int>(plan.keys.size()))),
      key_codec_(plan.key_types, CodecUse::kKey),
      value_codec_(aggregates->PartialTypes(), CodecUse::kStorage),
      has_keys_(!plan.keys.empty()),
      groups_(plan.key_types),
      aggregates_(std::move(aggregates)) {}

absl::Status AggregateState::FindGroups(const Batch& batch, uint32_t* groups) {
  const uint32_t before = groups_.size();
  groups_.FindOrInsert(batch, plan_.keys, groups);
  GrowGroups(before);
  if (is_loaded() || groups_.size() == before) return absl::OkStatus();
  return LookUpGroups(before);
}

void AggregateState::GrowGroups(uint32_t before) {
  aggregates_->Resize(groups_.size());
  row_counts_.Resize(groups_.size(), 0);
  flags_.Resize(groups_.size(), 0);
  if (has_keys_) num_dead_ += groups_.size() - before;
}

void AggregateState::AddEmptyGroup() {
  uint32_t group = 0;
  groups_.FindOrInsert(Batch({}, 1), plan_.keys, &group);
  GrowGroups(0);
  MarkDirty(group);
}

absl::Status AggregateState::Update(const Batch& batch, const uint32_t* groups) {
  if (plan_.phase == AggregatePlan::Phase::kFinal) {
    MR_RETURN_IF_ERROR(aggregates_->Merge(batch, static_cast<int>(plan_.keys.size()), groups));
  } else {
    MR_RETURN_IF_ERROR(aggregates_->Update(batch, groups));
  }
  const int64_t* weights = batch.raw_weights();
  for (int64_t i = 0; i < batch.num_rows(); ++i) {
    const uint32_t group = groups[i];
    const bool was_dead = is_dead(group);
    row_counts_[group] += weights == nullptr ? 1 : weights[i];
    num_dead_ += static_cast<int>(is_dead(group)) - static_cast<int>(was_dead);
    MarkDirty(group);
  }
  return absl::OkStatus();
}

std::vector<std::shared_ptr<arrow::Array>> AggregateState::Keys(
    absl::Span<const uint32_t> groups) const {
  if (!has_keys_) return {};
  return groups_.Keys(groups);
}

void AggregateState::MarkDirty(uint32_t group) {
  if ((flags_[group] & kDirty) != 0) return;
  flags_[group] = static_cast<uint8_t>(flags_[group] | kDirty);
  dirty_.push_back(group);
}

void AggregateState::Close(uint32_t group) {
  num_dead_ += is_dead(group) ? 0 : 1;
  flags_[group] = static_cast<uint8_t>(flags_[group] | kClosed);
  MarkDirty(group);
}

void AggregateState::EncodeKeys(absl::Span<const uint32_t> groups, uint32_t num_shards) {
  const Batch keys(Keys(groups), static_cast<int64_t>(groups.size()));
  key_codec_.Encode(keys, key_positions_, &encoded_keys_);
  shards_.assign(groups.size(), 0);
  if (!has_keys_) return;
  HashRows(keys, key_positions_, &hashes_);
  for (size_t i = 0; i < groups.size(); ++i) shards_[i] = ShardOf(hashes_[i], num_shards);
}

absl::Status AggregateState::Write(TaskStateStore& store, uint32_t node_id) {
  StateEntries entries;
  EncodeKeys(dirty_, store.num_shards());
  MR_RETURN_IF_ERROR(AppendGroupEntries(&entries));
  dirty_.clear();
  AppendDetailEntries(store.num_shards(), &entries);
  if (entries.empty()) return absl::OkStatus();
  return store.Write(node_id, std::move(entries));
}

absl::Status AggregateState::AppendGroupEntries(StateEntries* entries) {
  AggregateSet::Columns columns;
  MR_RETURN_IF_ERROR(aggregates_->Partial(dirty_, &columns));
  const std::vector<int> positions = FirstColumns(static_cast<int>(columns.size()));
  EncodedRows values;
  value_codec_.Encode(Batch(std::move(columns), static_cast<int64_t>(dirty_.size())), positions,
                      &values);
  for (size_t i = 0; i < dirty_.size(); ++i) {
    const uint32_t group = dirty_[i];
    const bool stored = (flags_[group] & kStored) != 0;
    flags_[group] = static_cast<uint8_t>(flags_[group] & ~kDirty);
    // A group that came and went between two checkpoints was never written.
    if (is_dead(group) && !stored) continue;
    const StateEntries::Parts key = {RawBytes(kGroupEntry),
                                     encoded_keys_.row(static_cast<int64_t>(i))};
    if (is_dead(group)) {
      flags_[group] = static_cast<uint8_t>(flags_[group] & ~kStored);
      entries->Delete(shards_[i], key);
    } else {
      flags_[group] = static_cast<uint8_t>(flags_[group] | kStored);
      entries->Put(shards_[i], key,
                   {RawBytes(row_counts_[group]), values.row(static_cast<int64_t>(i))});
    }
  }
  return absl::OkStatus();
}

void AggregateState::AppendDetailEntries(uint32_t num_shards, StateEntries* entries) {
  // Keys and shards are encoded for all groups at once, when all details are known.
  struct Detail {
    uint16_t call;
    int64_t count;
    std::string value;
  };
  std::vector<Detail> details;
  std::vector<uint32_t> groups;
  aggregates_->TakeChangedDetails([&](int call, const AccumulatorDetail& detail) {
    const int64_t count = is_closed(detail.group) ? 0 : detail.count;
    details.push_back({static_cast<uint16_t>(call), count, std::string(detail.value)});
    groups.push_back(detail.group);
  });
  if (groups.empty()) return;
  EncodeKeys(groups, num_shards);
  for (size_t i = 0; i < groups.size(); ++i) {
    const Detail& detail = details[i];
    const std::string_view group_key = encoded_keys_.row(static_cast<int64_t>(i));
    const auto length = static_cast<uint32_t>(group_key.size());
    const StateEntries::Parts key = {RawBytes(kDetailEntry), RawBytes(detail.call),
                                     RawBytes(length), group_key, detail.value};
    if (detail.count == 0) {
      entries->Delete(shards_[i], key);
    } else {
      entries->Put(shards_[i], key, {RawBytes(detail.count)});
    }
  }
}

absl::Status AggregateState::Restore(TaskStateStore& store, uint32_t node_id, Loading loading) {
  cursor_ = store.Read(node_id);
  store_ = &store;
  node_id_ = node_id;
  if (loading == Loading::kAsNeeded && !aggregates_->has_details()) return absl::OkStatus();
  while (!is_loaded()) MR_RETURN_IF_ERROR(LoadMore(INT64_MAX));
  return absl::OkStatus();
}

absl::Status AggregateState::LoadMore(int64_t entries_max) {
  MR_ASSIGN_OR_RETURN(const bool more, LoadEntries(*cursor_, entries_max));
  if (!more) cursor_.reset();
  return absl::OkStatus();
}

absl::StatusOr<bool> AggregateState::LoadEntries(StateCursor& cursor, int64_t entries_max) {
  StateEntries groups;
  StoredDetails details;
  const auto flush_groups = [&]() {
    absl::Status status = RestoreGroups(groups);
    groups.Clear();
    return status;
  };
  const auto flush_details = [&]() {
    absl::Status status = RestoreDetails(details);
    details.values.Clear();
    details.counts.clear();
    return status;
  };
  const absl::StatusOr<bool> more = cursor.Next(
      entries_max, [&](uint32_t, absl::string_view key, absl::string_view value) -> absl::Status {
        std::string_view rest(key.data(), key.size());
        if (rest.empty()) return Corrupt();
        const char kind = rest[0];
        rest.remove_prefix(1);
        if (kind == kGroupEntry) {
          groups.Put(0, {rest}, {{value.data(), value.size()}});
          return groups.size() < kRestoreRows ? absl::OkStatus() : flush_groups();
        }
        uint16_t call = 0;
        uint32_t length = 0;
        int64_t count = 0;
        std::string_view number(value.data(), value.size());
        const bool valid = kind == kDetailEntry && TakeRaw(&rest, &call) &&
                           TakeRaw(&rest, &length) && rest.size() >= length &&
                           TakeRaw(&number, &count);
        if (!valid) return Corrupt();
        absl::Status flushed;
        if (call != details.call || details.values.size() == kRestoreRows) {
          flushed = flush_details();
        }
        details.call = call;
        details.values.Put(0, {rest.substr(0, length)}, {rest.substr(length)});
        details.counts.push_back(count);
        return flushed;
      });
  MR_RETURN_IF_ERROR(more.status());
  MR_RETURN_IF_ERROR(flush_groups());
  MR_RETURN_IF_ERROR(flush_details());
  return more;
}

absl::Status AggregateState::GroupsOfKeys(const std::vector<std::string_view>& keys,
                                          std::vector<uint32_t>* groups) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(key_codec_.Decode(keys, &columns));
  groups->resize(keys.size());
  const uint32_t before = groups_.size();
  groups_.FindOrInsert(Batch(std::move(columns), static_cast<int64_t>(keys.size())), key_positions_,
                       groups->data());
  GrowGroups(before);
  return absl::OkStatus();
}

absl::Status AggregateState::RestoreGroups(const StateEntries& stored) {
  if (stored.empty()) return absl::OkStatus();
  const uint32_t before = groups_.size();
  std::vector<uint32_t> groups;
  MR_RETURN_IF_ERROR(GroupsOfKeys(stored.Keys(), &groups));
  // Values that are stored one by one come before their group; then nothing else is here yet.
  const bool all = aggregates_->has_details();
  std::vector<uint32_t> missing;
  std::vector<std::string_view> rows;
  for (int64_t i = 0; i < stored.size(); ++i) {
    if (groups[i] < before && !all) continue;
    missing.push_back(groups[i]);
    rows.push_back(stored[i].value);
  }
  return RestoreValues(missing, rows);
}

absl::Status AggregateState::LookUpGroups(uint32_t begin) {
  std::vector<uint32_t> groups(groups_.size() - begin);
  std::iota(groups.begin(), groups.end(), begin);
  EncodeKeys(groups, store_->num_shards());
  std::vector<std::string> keys(groups.size(), std::string(1, kGroupEntry));
  std::vector<StateKey> wanted;
  for (size_t i = 0; i < groups.size(); ++i) {
    keys[i].append(encoded_keys_.row(static_cast<int64_t>(i)));
    wanted.push_back({shards_[i], keys[i]});
  }
  std::vector<std::optional<std::string>> values;
  MR_RETURN_IF_ERROR(store_->Get(node_id_, wanted, &values));
  std::vector<uint32_t> found;
  std::vector<std::string_view> rows;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!values[i].has_value()) continue;
    found.push_back(groups[i]);
    rows.emplace_back(*values[i]);
  }
  return RestoreValues(found, rows);
}

absl::Status AggregateState::RestoreValues(const std::vector<uint32_t>& groups,
                                           const std::vector<std::string_view>& values) {
  if (groups.empty()) return absl::OkStatus();
  std::vector<std::string_view> rows;
  for (size_t i = 0; i < values.size(); ++i) {
    std::string_view value = values[i];
    int64_t count = 0;
    if (!TakeRaw(&value, &count)) return Corrupt();
    num_dead_ -= is_dead(groups[i]) ? 1 : 0;
    row_counts_[groups[i]] = count;
    num_dead_ += is_dead(groups[i]) ? 1 : 0;
    flags_[groups[i]] = kStored;
    rows.push_back(value);
  }
  AggregateSet::Columns columns;
  MR_RETURN_IF_ERROR(value_codec_.Decode(rows, &columns));
  return aggregates_->Merge(Batch(std::move(columns), static_cast<int64_t>(rows.size())), 0,
                            groups.data());
}

absl::Status AggregateState::RestoreDetails(const StoredDetails& details) {
  if (details.values.empty()) return absl::OkStatus();
  std::vector<uint32_t> groups;
  MR_RETURN_IF_ERROR(GroupsOfKeys(details.values.Keys(), &groups));
  std::vector<AccumulatorDetail> restored;
  for (size_t i = 0; i < groups.size(); ++i) {
    const std::string_view value = details.values[static_cast<int64_t>(i)].value;
    restored.push_back({groups[i], value, details.counts[i]});
  }
  return aggregates_->RestoreDetails(details.call, restored);
}

bool AggregateState::Compact() {
  if (!is_loaded()) return false;
  if (num_dead_ < kCompactGroupsMin || num_dead_ * 2 < num_groups()) return false;
  std::vector<uint32_t> survivors;
  for (uint32_t group = 0; group < num_groups(); ++group) {
    // What the store does not know yet has to stay until the next checkpoint.
    const bool pending = (flags_[group] & (kDirty | kStored)) == (kDirty | kStored);
    if (!is_dead(group) || pending) survivors.push_back(group);
  }
  if (static_cast<int64_t>(survivors.size()) * 4 > int64_t{num_groups()} * 3) return false;
  const FlatVector<uint8_t> old_flags = std::move(flags_);
  flags_ = FlatVector<uint8_t>();
  groups_.Retain(survivors);
  aggregates_->Retain(survivors);
  row_counts_.Retain(survivors);
  dirty_.clear();
  num_dead_ = 0;
  for (uint32_t i = 0; i < survivors.size(); ++i) {
    const uint8_t flags = old_flags[survivors[i]];
    flags_.PushBack(flags);
    if ((flags & kDirty) != 0) dirty_.push_back(i);
    num_dead_ += is_dead(i) ? 1 : 0;
  }
  return true;
}

int64_t AggregateState::bytes() const {
  return groups_.bytes() + aggregates_->bytes() + row_counts_.bytes() + flags_.bytes() +
         static_cast<int64_t>(dirty_.capacity() * sizeof(uint32_t));
}

}  // namespace millrace
