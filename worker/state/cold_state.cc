#include "worker/state/cold_state.h"

#include <cstring>
#include <utility>

#include "common/base/status.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

// For each key that was looked up so many entries come along, which takes as long as some entries
// in a row, so that input which touches everything does not look up everything.
constexpr int64_t kEntriesPerKey = 8;
// Entries of a kind that are handed on together.
constexpr int64_t kEntriesTogether = 8192;

absl::Status WrongForm() {
  return MakeError(SqlState::kDataCorrupted, "stored state has a key of a wrong form");
}

uint64_t HashInKey(absl::string_view key) {
  uint64_t hash = 0;
  std::memcpy(&hash, key.data() + 1, sizeof(hash));
  return hash;
}

}  // namespace

ColdState::ColdState(TaskStateStore& store, uint32_t node_id, Kinds kinds, Taker take)
    : store_(&store),
      node_id_(node_id),
      kinds_(std::move(kinds)),
      take_(std::move(take)),
      cursor_(store.Read(node_id)),
      recent_(kRecentHashes, 0),
      entries_(kinds_.taken.size()) {
  // Each place holds a hash that belongs to another one, so that none seems to be known.
  recent_[0] = 1;
}

absl::Status ColdState::LoadFor(const Batch& rows, absl::Span<const int> columns) {
  if (is_complete()) return absl::OkStatus();
  HashRows(rows, columns, &hashes_);
  return LoadFor(hashes_);
}

absl::Status ColdState::LoadFor(absl::Span<const uint64_t> hashes) {
  if (is_complete()) return absl::OkStatus();
  FindFresh(hashes);
  MR_RETURN_IF_ERROR(TakeFresh());
  MR_RETURN_IF_ERROR(TakeOthers(kEntriesPerRow * static_cast<int64_t>(hashes.size()) +
                                kEntriesPerKey * static_cast<int64_t>(fresh_.size())));
  return Flush();
}

absl::Status ColdState::LoadMore(int64_t entries_max) {
  if (is_complete()) return absl::OkStatus();
  do {
    MR_RETURN_IF_ERROR(TakeOthers(entries_max));
  } while (entries_max == kAllEntries && !is_complete());
  return Flush();
}

void ColdState::FindFresh(absl::Span<const uint64_t> hashes) {
  fresh_.clear();
  for (const uint64_t hash : hashes) {
    uint64_t& recent = recent_[hash % kRecentHashes];
    if (recent == hash) continue;
    recent = hash;
    if (asked_.insert(hash).second) fresh_.push_back(hash);
  }
}

absl::Status ColdState::TakeFresh() {
  if (fresh_.empty()) return absl::OkStatus();
  prefixes_.resize(fresh_.size());
  prefix_bytes_.resize(fresh_.size() * kPrefixBytes);
  for (const char kind : kinds_.taken) {
    for (size_t i = 0; i < fresh_.size(); ++i) {
      char* prefix = prefix_bytes_.data() + i * kPrefixBytes;
      *prefix = kind;
      std::memcpy(prefix + 1, &fresh_[i], sizeof(fresh_[i]));
      prefixes_[i] = {ShardOf(fresh_[i], store_->num_shards()), {prefix, kPrefixBytes}};
    }
    MR_RETURN_IF_ERROR(store_->ReadPrefixes(
        node_id_, prefixes_, [this](uint32_t, absl::string_view key, absl::string_view value) {
          return Take(key, value);
        }));
  }
  return absl::OkStatus();
}

absl::Status ColdState::TakeOthers(int64_t entries_max) {
  const auto take = [this](uint32_t, absl::string_view key, absl::string_view value) {
    if (key.empty()) return WrongForm();
    if (kinds_.skipped.find(key[0]) != std::string::npos) return absl::OkStatus();
    if (key.size() < kPrefixBytes) return WrongForm();
    return asked_.contains(HashInKey(key)) ? absl::OkStatus() : Take(key, value);
  };
  MR_ASSIGN_OR_RETURN(const bool more, cursor_->Next(entries_max, take));
  if (more) return absl::OkStatus();
  cursor_.reset();
  asked_ = {};
  recent_ = {};
  return absl::OkStatus();
}

absl::Status ColdState::Take(absl::string_view key, absl::string_view value) {
  const size_t kind = kinds_.taken.find(key[0]);
  if (kind == std::string::npos) return WrongForm();
  key.remove_prefix(kPrefixBytes);
  StateEntries& entries = entries_[kind];
  entries.Put(0, {{key.data(), key.size()}}, {{value.data(), value.size()}});
  return entries.size() < kEntriesTogether ? absl::OkStatus() : Flush();
}

absl::Status ColdState::Flush() {
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].empty()) continue;
    MR_RETURN_IF_ERROR(take_(kinds_.taken[i], entries_[i]));
    entries_[i].Clear();
  }
  if (is_complete()) entries_.clear();
  return absl::OkStatus();
}

}  // namespace millrace
