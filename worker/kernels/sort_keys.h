#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/row_codec.h"

namespace millrace {

// Direction of one key of an ordering.
struct SortDirection {
  bool descending = false;
  bool nulls_first = false;
};

// Writes the keys of each row as bytes whose order by memcmp is the order of the rows: for each key
// a byte for NULL, then the value as in order_encoding.h (text with its zero bytes escaped and an
// end marker), inverted if descending. No encoding is the beginning of another one.
class SortKeyEncoder {
 public:
  explicit SortKeyEncoder(std::vector<SortDirection> directions)
      : directions_(std::move(directions)) {}

  // Replaces what `out` held. If `split` is not null, it gets for each row the length of its first
  // `num_leading` keys.
  void Encode(absl::Span<const ColumnView> keys, EncodedRows* out, size_t num_leading = 0,
              FlatVector<uint32_t>* split = nullptr);

 private:
  std::vector<SortDirection> directions_;
  FlatVector<int64_t> cursors_;
};

// The first twelve bytes of a key as numbers, and the row they belong to.
struct SortItem {
  uint64_t high;
  uint32_t low;
  uint32_t row;
};
inline constexpr int64_t kSortPrefixBytes = 12;

inline bool PrefixLess(const SortItem& a, const SortItem& b) {
  return a.high != b.high ? a.high < b.high : a.low < b.low;
}
inline bool SamePrefix(const SortItem& a, const SortItem& b) {
  return a.high == b.high && a.low == b.low;
}

// The prefix of key[depth, …); bytes behind the end count as zero.
inline SortItem MakeSortItem(std::string_view key, int64_t depth, uint32_t row) {
  uint64_t high = 0;
  uint32_t low = 0;
  const int64_t left = static_cast<int64_t>(key.size()) - depth;
  const char* bytes = key.data() + depth;
  if (left >= kSortPrefixBytes) {
    std::memcpy(&high, bytes, 8);
    std::memcpy(&low, bytes + 8, 4);
  } else if (left > 0) {
    char padded[kSortPrefixBytes] = {};
    std::memcpy(padded, bytes, static_cast<size_t>(left));
    std::memcpy(&high, padded, 8);
    std::memcpy(&low, padded + 8, 4);
  }
  return {__builtin_bswap64(high), __builtin_bswap32(low), row};
}

// Sorts by prefix. Equal prefixes end in any order.
void SortByPrefix(SortItem* begin, SortItem* end);

}  // namespace millrace
