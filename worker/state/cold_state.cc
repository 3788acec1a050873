#include "worker/state/cold_state.h"

#include <cstring>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

// For each row of input so many entries come along; and for each key that was looked up, which
// takes as long as some entries in a row, so that input which touches everything does not look up
// everything.
constexpr int64_t kLoadPerRow = 2;
constexpr int64_t kLoadPerKey = 8;

uint64_t HashInKey(absl::string_view key) {
  uint64_t hash = 0;
  std::memcpy(&hash, key.data() + 1, sizeof(hash));
  return hash;
}

}  // namespace

ColdState::ColdState(TaskStateStore& store, uint32_t node_id, std::string kinds)
    : store_(store), node_id_(node_id), kinds_(std::move(kinds)), cursor_(store.Read(node_id)) {}

absl::Status ColdState::Ask(absl::Span<const uint64_t> hashes, Visitor visit) {
  if (is_complete()) return absl::OkStatus();
  std::vector<uint64_t> fresh;
  for (const uint64_t hash : hashes) {
    if (asked_.insert(hash).second) fresh.push_back(hash);
  }
  if (fresh.empty()) return absl::OkStatus();
  num_asked_ += static_cast<int64_t>(fresh.size());
  std::string bytes;
  bytes.reserve(fresh.size() * kPrefixBytes);
  std::vector<StateKey> prefixes(fresh.size());
  for (const char kind : kinds_) {
    bytes.clear();
    for (size_t i = 0; i < fresh.size(); ++i) {
      bytes.push_back(kind);
      bytes.append(RawBytes(fresh[i]));
      prefixes[i] = {ShardOf(fresh[i], store_.num_shards()),
                     {bytes.data() + i * kPrefixBytes, kPrefixBytes}};
    }
    MR_RETURN_IF_ERROR(store_.ReadPrefixes(node_id_, prefixes, visit));
  }
  return absl::OkStatus();
}

absl::Status ColdState::LoadBehind(int64_t num_rows, Visitor visit) {
  const int64_t num_asked = std::exchange(num_asked_, 0);
  return LoadMore(kLoadPerRow * num_rows + kLoadPerKey * num_asked, visit);
}

absl::Status ColdState::LoadMore(int64_t entries_max, Visitor visit) {
  if (is_complete()) return absl::OkStatus();
  const auto visit_others = [&](uint32_t shard, absl::string_view key, absl::string_view value) {
    if (key.size() < kPrefixBytes) {
      return MakeError(SqlState::kDataCorrupted, "stored state has a key of a wrong form");
    }
    return asked_.contains(HashInKey(key)) ? absl::OkStatus() : visit(shard, key, value);
  };
  MR_ASSIGN_OR_RETURN(const bool more, cursor_->Next(entries_max, visit_others));
  if (more) return absl::OkStatus();
  cursor_.reset();
  asked_ = {};
  return absl::OkStatus();
}

}  // namespace millrace
