#include "coordinator/metadata/id_allocator.h"

#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/check.h"
#include "common/base/status.h"

namespace millrace {
namespace {

constexpr uint32_t kRangeFormat = 1;
constexpr uint32_t kClusterIdFormat = 1;

// The format and the first number that is not reserved: "1 4096".
absl::StatusOr<uint64_t> ParseRange(const std::string& key, const std::string& value) {
  const std::vector<std::string> words = absl::StrSplit(value, ' ');
  uint32_t format = 0;
  uint64_t begin = 0;
  if (!absl::SimpleAtoi(words[0], &format)) {
    return MakeError(SqlState::kDataCorrupted, absl::StrCat("metadata record is damaged: ", key));
  }
  MR_RETURN_IF_ERROR(CheckRecordFormat(absl::StrCat("number range ", key), format, kRangeFormat));
  if (words.size() != 2 || !absl::SimpleAtoi(words[1], &begin)) {
    return MakeError(SqlState::kDataCorrupted, absl::StrCat("metadata record is damaged: ", key));
  }
  return begin;
}

}  // namespace

IdAllocator::IdAllocator(MetadataStore& store, std::string name, uint64_t block_size)
    : store_(store), key_(absl::StrCat("ids/", name)), block_size_(block_size) {
  MR_CHECK(block_size > 0);
}

absl::StatusOr<uint64_t> IdAllocator::Next() {
  MutexLock lock(mutex_);
  if (next_ == end_) MR_RETURN_IF_ERROR(ReserveBlock());
  return next_++;
}

absl::Status IdAllocator::ReserveBlock() {
  MR_ASSIGN_OR_RETURN(std::optional<MetadataValue> stored, store_.Get(key_));
  uint64_t begin = 1;
  if (stored.has_value()) {
    MR_ASSIGN_OR_RETURN(begin, ParseRange(key_, stored->value));
  }
  const uint64_t revision = stored.has_value() ? stored->revision : 0;
  MR_RETURN_IF_ERROR(
      store_.CompareAndSwap(key_, revision, absl::StrCat(kRangeFormat, " ", begin + block_size_))
          .status());
  next_ = begin;
  end_ = begin + block_size_;
  return absl::OkStatus();
}

std::string ClusterIdRecord(absl::string_view cluster_id) {
  return absl::StrCat(kClusterIdFormat, " ", cluster_id);
}

absl::StatusOr<std::string> ClusterIdOf(absl::string_view what, absl::string_view record) {
  // People may write one, too.
  record = absl::StripTrailingAsciiWhitespace(record);
  const std::vector<absl::string_view> words = absl::StrSplit(record, ' ');
  if (words.size() == 1 && !record.empty()) return std::string(record);
  uint32_t format = 0;
  const absl::Status damaged =
      MakeError(SqlState::kDataCorrupted, absl::StrCat(what, " is damaged"));
  if (!absl::SimpleAtoi(words[0], &format)) return damaged;
  MR_RETURN_IF_ERROR(CheckRecordFormat(what, format, kClusterIdFormat));
  if (words.size() != 2 || words[1].empty()) return damaged;
  return std::string(words[1]);
}

absl::StatusOr<std::string> LoadOrCreateClusterId(MetadataStore& store) {
  constexpr char kKey[] = "cluster/id";
  MR_ASSIGN_OR_RETURN(std::optional<MetadataValue> stored, store.Get(kKey));
  if (stored.has_value()) return ClusterIdOf("the record of the cluster's id", stored->value);
  std::random_device random;
  const uint64_t bits = (uint64_t{random()} << 32) | random();
  std::string id = absl::StrFormat("%016x", bits);
  MR_RETURN_IF_ERROR(store.CompareAndSwap(kKey, 0, ClusterIdRecord(id)).status());
  return id;
}

}  // namespace millrace
