#include "worker/kernels/hash.h"

#include <algorithm>
#include <bit>

#include "arrow/array.h"
#include "worker/kernels/column_view.h"
#include "xxhash.h"

namespace millrace {
namespace {

// Where a column's values go: they start the rows' hashes, or are mixed into them.
enum class Place { kFirst, kNext };

template <typename GetValue>
void HashColumn(const ColumnView& column, Place place, uint64_t* hashes, const GetValue& get) {
  const int64_t n = column.length;
  if (!column.nullable()) {
    if (place == Place::kFirst) {
      for (int64_t i = 0; i < n; ++i) hashes[i] = FirstHash(get(i));
    } else {
      for (int64_t i = 0; i < n; ++i) hashes[i] = NextHash(hashes[i], get(i));
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t value = column.IsNull(i) ? kNullHashValue : get(i);
    hashes[i] = place == Place::kFirst ? FirstHash(value) : NextHash(hashes[i], value);
  }
}

// A dictionary that is not larger than the batch is hashed once per entry.
void HashDictionary(const ColumnView& column, Place place, uint64_t* hashes) {
  if (column.dictionary_length > column.length) {
    HashColumn(column, place, hashes, [&](int64_t i) { return HashValueText(column.Text(i)); });
    return;
  }
  std::vector<uint64_t> entries(column.dictionary_length);
  for (int64_t code = 0; code < column.dictionary_length; ++code) {
    entries[code] = HashValueText(column.Entry(code));
  }
  HashColumn(column, place, hashes, [&](int64_t i) { return entries[column.Code(i)]; });
}

template <typename T>
void HashIntegers(const ColumnView& column, Place place, uint64_t* hashes) {
  const T* values = column.data<T>();
  HashColumn(column, place, hashes,
             [values](int64_t i) { return static_cast<uint64_t>(int64_t{values[i]}); });
}

template <typename T>
void HashFloats(const ColumnView& column, Place place, uint64_t* hashes) {
  const T* values = column.data<T>();
  HashColumn(column, place, hashes, [values](int64_t i) {
    return std::bit_cast<uint64_t>(CanonicalFloat(double{values[i]}));
  });
}

void HashOne(const ColumnView& column, Place place, uint64_t* hashes) {
  switch (column.layout) {
    case Layout::kNull:
      return HashColumn(column, place, hashes, [](int64_t) { return kNullHashValue; });
    case Layout::kBool:
      return HashColumn(column, place, hashes, [&](int64_t i) { return uint64_t{column.Bool(i)}; });
    case Layout::kInt16:
      return HashIntegers<int16_t>(column, place, hashes);
    case Layout::kInt32:
      return HashIntegers<int32_t>(column, place, hashes);
    case Layout::kInt64:
      return HashIntegers<int64_t>(column, place, hashes);
    case Layout::kFloat32:
      return HashFloats<float>(column, place, hashes);
    case Layout::kFloat64:
      return HashFloats<double>(column, place, hashes);
    case Layout::kInt128:
    case Layout::kUuid:
      return HashColumn(column, place, hashes, [&](int64_t i) {
        return HashValue16(column.Get<uint64_t>(2 * i), column.Get<uint64_t>(2 * i + 1));
      });
    case Layout::kInterval:
      return HashColumn(column, place, hashes, [&](int64_t i) {
        const __int128 span = IntervalSpan(column.Get<RawInterval>(i));
        return HashValue16(static_cast<uint64_t>(span), static_cast<uint64_t>(span >> 64));
      });
    case Layout::kBytes:
      return HashColumn(column, place, hashes,
                        [&](int64_t i) { return HashValueText(column.Text(i)); });
    case Layout::kDictionary:
      return HashDictionary(column, place, hashes);
  }
}

}  // namespace

uint64_t HashValueText(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

void HashRows(const Batch& batch, absl::Span<const int> columns, std::vector<uint64_t>* out) {
  out->resize(batch.num_rows());
  if (columns.empty()) {
    std::fill(out->begin(), out->end(), FirstHash(0));
    return;
  }
  Place place = Place::kFirst;
  for (const int column : columns) {
    HashOne(ColumnView(*batch.column(column)), place, out->data());
    place = Place::kNext;
  }
}

}  // namespace millrace
