#include "worker/kernels/sort_keys.h"

#include <algorithm>
#include <bit>

#include "worker/kernels/order_encoding.h"

namespace millrace {
namespace {

inline uint16_t ByteSwap(uint16_t v) { return __builtin_bswap16(v); }
inline uint32_t ByteSwap(uint32_t v) { return __builtin_bswap32(v); }
inline uint64_t ByteSwap(uint64_t v) { return __builtin_bswap64(v); }
inline unsigned __int128 ByteSwap(unsigned __int128 v) {
  return (static_cast<unsigned __int128>(__builtin_bswap64(static_cast<uint64_t>(v))) << 64) |
         __builtin_bswap64(static_cast<uint64_t>(v >> 64));
}

// Bytes that the values of a layout take, without the NULL byte; −1 if they vary.
int EncodedWidth(Layout layout) {
  switch (layout) {
    case Layout::kBytes:
    case Layout::kDictionary:
      return -1;
    default:
      return WidthOf(layout);
  }
}

// Writes the NULL byte of every row and, for those that have one, the value; moves the cursors
// behind it.
template <typename Bits, typename Load>
void WriteFixed(const ColumnView& column, SortDirection direction, char* bytes, int64_t* cursors,
                const Load& load) {
  const char null_mark = direction.nulls_first ? 0 : 1;
  const char value_mark = direction.nulls_first ? 1 : 0;
  const Bits invert = direction.descending ? static_cast<Bits>(~Bits{0}) : Bits{0};
  const bool nullable = column.nullable();
  for (int64_t i = 0; i < column.length; ++i) {
    char* at = bytes + cursors[i];
    Bits bits = 0;
    if (nullable && column.IsNull(i)) {
      *at = null_mark;
    } else {
      *at = value_mark;
      bits = ByteSwap(static_cast<Bits>(load(i) ^ invert));
    }
    std::memcpy(at + 1, &bits, sizeof(Bits));
    cursors[i] += 1 + static_cast<int64_t>(sizeof(Bits));
  }
}

void WriteBool(const ColumnView& column, SortDirection direction, char* bytes, int64_t* cursors) {
  for (int64_t i = 0; i < column.length; ++i) {
    char* at = bytes + cursors[i];
    const bool is_null = column.IsNull(i);
    at[0] = is_null == direction.nulls_first ? 0 : 1;
    at[1] = !is_null && column.Bool(i) != direction.descending ? 1 : 0;
    cursors[i] += 2;
  }
}

// 0x00 becomes 0x00 0xff, the end is 0x00 0x01: a text is before every longer one that it begins.
int64_t TextWidth(std::string_view text) {
  return static_cast<int64_t>(text.size()) + 2 + std::count(text.begin(), text.end(), '\0');
}

void WriteText(const ColumnView& column, SortDirection direction, char* bytes, int64_t* cursors) {
  const char invert = direction.descending ? static_cast<char>(0xff) : 0;
  for (int64_t i = 0; i < column.length; ++i) {
    char* at = bytes + cursors[i];
    const bool is_null = column.IsNull(i);
    *at++ = is_null == direction.nulls_first ? 0 : 1;
    if (!is_null) {
      for (const char c : column.Text(i)) {
        *at++ = static_cast<char>(c ^ invert);
        if (c == '\0') *at++ = static_cast<char>(static_cast<char>(0xff) ^ invert);
      }
      *at++ = invert;
      *at++ = static_cast<char>(1 ^ invert);
    }
    cursors[i] = at - bytes;
  }
}

void WriteUuid(const ColumnView& column, SortDirection direction, char* bytes, int64_t* cursors) {
  WriteFixed<unsigned __int128>(column, direction, bytes, cursors, [&](int64_t i) {
    return ByteSwap(column.Get<unsigned __int128>(i));
  });
}

void WriteKey(const ColumnView& column, SortDirection direction, char* bytes, int64_t* cursors) {
  switch (column.layout) {
    case Layout::kNull:
      return WriteText(column, direction, bytes, cursors);
    case Layout::kBool:
      return WriteBool(column, direction, bytes, cursors);
    case Layout::kInt16:
      return WriteFixed<uint16_t>(column, direction, bytes, cursors,
                                  [&](int64_t i) { return OrderedBits(column.Get<int16_t>(i)); });
    case Layout::kInt32:
      return WriteFixed<uint32_t>(column, direction, bytes, cursors,
                                  [&](int64_t i) { return OrderedBits(column.Get<int32_t>(i)); });
    case Layout::kInt64:
      return WriteFixed<uint64_t>(column, direction, bytes, cursors,
                                  [&](int64_t i) { return OrderedBits(column.Get<int64_t>(i)); });
    case Layout::kFloat32:
      return WriteFixed<uint32_t>(column, direction, bytes, cursors,
                                  [&](int64_t i) { return OrderedBits(column.Get<float>(i)); });
    case Layout::kFloat64:
      return WriteFixed<uint64_t>(column, direction, bytes, cursors,
                                  [&](int64_t i) { return OrderedBits(column.Get<double>(i)); });
    case Layout::kInt128:
      return WriteFixed<unsigned __int128>(column, direction, bytes, cursors, [&](int64_t i) {
        return OrderedBits(column.Get<__int128>(i));
      });
    case Layout::kInterval:
      return WriteFixed<unsigned __int128>(column, direction, bytes, cursors, [&](int64_t i) {
        return OrderedBits(IntervalSpan(column.Get<RawInterval>(i)));
      });
    case Layout::kUuid:
      return WriteUuid(column, direction, bytes, cursors);
    case Layout::kBytes:
    case Layout::kDictionary:
      return WriteText(column, direction, bytes, cursors);
  }
}

}  // namespace

void SortKeyEncoder::Encode(absl::Span<const ColumnView> keys, EncodedRows* out, size_t num_leading,
                            FlatVector<uint32_t>* split) {
  const int64_t n = keys.empty() ? 0 : keys[0].length;
  int64_t fixed = 0;
  for (const ColumnView& key : keys) fixed += 1 + std::max(0, EncodedWidth(key.layout));
  out->offsets.ResizeUninitialized(n + 1);
  out->offsets[0] = 0;
  for (int64_t i = 0; i < n; ++i) out->offsets[i + 1] = fixed;
  for (const ColumnView& key : keys) {
    if (EncodedWidth(key.layout) >= 0) continue;
    for (int64_t i = 0; i < n; ++i) {
      if (!key.IsNull(i)) out->offsets[i + 1] += TextWidth(key.Text(i));
    }
  }
  for (int64_t i = 0; i < n; ++i) out->offsets[i + 1] += out->offsets[i];
  out->bytes.ResizeUninitialized(out->offsets[n]);

  cursors_.Clear();
  cursors_.Append(out->offsets.data(), n);
  if (split != nullptr) split->Resize(n, 0);
  for (size_t k = 0; k < keys.size(); ++k) {
    WriteKey(keys[k], directions_[k], out->bytes.data(), cursors_.data());
    if (split == nullptr || k + 1 != num_leading) continue;
    for (int64_t i = 0; i < n; ++i) {
      (*split)[i] = static_cast<uint32_t>(cursors_[i] - out->offsets[i]);
    }
  }
}

namespace {

// Below this std::sort is faster.
constexpr int64_t kRadixRowsMin = 4096;
constexpr int kRadixBuckets = 1 << 11;

// Scatters by the 11 highest bits in which the prefixes differ, then sorts the buckets.
void RadixSort(SortItem* begin, SortItem* end) {
  uint64_t all_or = 0;
  uint64_t all_and = ~uint64_t{0};
  for (const SortItem* i = begin; i != end; ++i) {
    all_or |= i->high;
    all_and &= i->high;
  }
  const uint64_t differing = all_or ^ all_and;
  if (differing == 0) return std::sort(begin, end, PrefixLess);
  const int shift = std::max(0, 64 - std::countl_zero(differing) - 11);
  const auto bucket_of = [shift](const SortItem& item) {
    return (item.high >> shift) & (kRadixBuckets - 1);
  };
  std::vector<int64_t> starts(kRadixBuckets + 1, 0);
  for (const SortItem* i = begin; i != end; ++i) ++starts[bucket_of(*i) + 1];
  for (int b = 0; b < kRadixBuckets; ++b) starts[b + 1] += starts[b];
  FlatVector<SortItem> scattered(end - begin);
  std::vector<int64_t> next(starts.begin(), starts.end() - 1);
  for (const SortItem* i = begin; i != end; ++i) scattered[next[bucket_of(*i)]++] = *i;
  std::memcpy(static_cast<void*>(begin), scattered.data(),
              static_cast<size_t>(end - begin) * sizeof(SortItem));
  for (int b = 0; b < kRadixBuckets; ++b) {
    std::sort(begin + starts[b], begin + starts[b + 1], PrefixLess);
  }
}

}  // namespace

void SortByPrefix(SortItem* begin, SortItem* end) {
  if (end - begin < kRadixRowsMin) return std::sort(begin, end, PrefixLess);
  RadixSort(begin, end);
}

}  // namespace millrace
