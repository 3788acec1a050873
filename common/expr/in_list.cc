#include "common/expr/in_list.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "absl/container/flat_hash_set.h"
#include "common/base/status.h"
#include "common/expr/column_reader.h"
#include "common/expr/column_writer.h"
#include "common/expr/decimal_column.h"
#include "common/expr/interval_order.h"
#include "common/expr/numeric_loops.h"

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

// Up to this many, comparing with each in turn beats hashing, because the loops vectorise.
constexpr size_t kMaxLinear = 8;

// The list, made once. T has equality and a hash.
template <typename T>
class ListState : public KernelState {
 public:
  std::vector<T> items;
  absl::flat_hash_set<T> set;
  bool has_null = false;
  // Keeps text alive that the items refer to.
  std::vector<std::shared_ptr<arrow::Array>> arrays;
};

template <typename T, typename Key, typename KeyOf>
ListState<Key>* GetList(const KernelCall& call, const KeyOf& key_of) {
  if (*call.state == nullptr) {
    auto list = std::make_unique<ListState<Key>>();
    for (size_t i = 1; i < call.args.size(); ++i) {
      const arrow::Array& array = *call.args[i].array;
      if (array.type_id() == arrow::Type::NA || array.IsNull(0)) {
        list->has_null = true;
        continue;
      }
      list->items.push_back(key_of(ColumnReader<T>(call.args[i])[0]));
      list->arrays.push_back(call.args[i].array);
    }
    list->set.insert(list->items.begin(), list->items.end());
    *call.state = std::move(list);
  }
  return static_cast<ListState<Key>*>(call.state->get());
}

// Where a value was not found and the list has a NULL, the answer is not known.
ArrayOr Finish(const KernelCall& call, bool has_null, Validity validity,
               std::shared_ptr<arrow::Buffer> found) {
  if (has_null) {
    MR_ASSIGN_OR_RETURN(auto bits, AllocateBits(call.num_rows));
    int64_t num_valid = 0;
    for (int64_t row = 0; row < call.num_rows; ++row) {
      if (!validity.IsValid(row) || !arrow::bit_util::GetBit(found->data(), row)) continue;
      arrow::bit_util::SetBit(bits->mutable_data(), row);
      ++num_valid;
    }
    validity = Validity{std::move(bits), call.num_rows - num_valid};
  }
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(found));
}

template <typename T, typename Key, typename KeyOf>
ArrayOr Search(const KernelCall& call, const KeyOf& key_of) {
  const Operand& needle = call.args[0];
  KernelCall strict = call;
  strict.args = call.args.subspan(0, 1);
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(strict));
  if (needle.is_constant && needle.array->IsNull(0)) {
    MR_ASSIGN_ARROW_OR_RETURN(auto nulls, arrow::MakeArrayOfNull(arrow::boolean(), call.num_rows));
    return nulls;
  }
  const ListState<Key>& list = *GetList<T, Key>(call, key_of);
  MR_ASSIGN_OR_RETURN(auto found, AllocateBits(call.num_rows));
  const ColumnReader<T> values(needle);
  if (list.items.size() <= kMaxLinear) {
    const Key* items = list.items.data();
    const size_t n = list.items.size();
    FillBits(call.num_rows, found->mutable_data(), [&, items, n](int64_t row) {
      const Key key = key_of(values[row]);
      bool any = false;
      for (size_t i = 0; i < n; ++i) any |= key == items[i];
      return any;
    });
  } else {
    FillBits(call.num_rows, found->mutable_data(),
             [&](int64_t row) { return list.set.contains(key_of(values[row])); });
  }
  return Finish(call, list.has_null, std::move(validity), std::move(found));
}

template <typename T>
ArrayOr SearchPlain(const KernelCall& call) {
  return Search<T, T>(call, [](T value) { return value; });
}

// -0 equals 0, and NaN itself; as integers both hold by themselves.
template <typename T, typename Bits>
ArrayOr SearchFloat(const KernelCall& call) {
  return Search<T, Bits>(call, [](T value) {
    if (std::isnan(value)) value = std::numeric_limits<T>::quiet_NaN();
    if (value == 0) value = 0;
    return std::bit_cast<Bits>(value);
  });
}

// absl hashes no __int128; two words do.
using WordPair = std::pair<uint64_t, uint64_t>;

WordPair SplitWide(__int128 value) {
  return {static_cast<uint64_t>(value), static_cast<uint64_t>(value >> 64)};
}

WordPair SplitUuid(const UuidBytes& value) {
  WordPair words;
  std::memcpy(&words.first, value.bytes, 8);
  std::memcpy(&words.second, value.bytes + 8, 8);
  return words;
}

}  // namespace

ArrayOr InList(const KernelCall& call) {
  for (size_t i = 1; i < call.args.size(); ++i) {
    if (!call.args[i].is_constant) return InternalError("IN list that is not constant");
  }
  switch (call.args[0].type.id) {
    case TypeId::kBoolean:
      return Search<bool, uint8_t>(call, [](bool value) { return static_cast<uint8_t>(value); });
    case TypeId::kInt16:
      return SearchPlain<int16_t>(call);
    case TypeId::kInt32:
    case TypeId::kDate:
      return SearchPlain<int32_t>(call);
    case TypeId::kInt64:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return SearchPlain<int64_t>(call);
    case TypeId::kFloat32:
      return SearchFloat<float, uint32_t>(call);
    case TypeId::kFloat64:
      return SearchFloat<double, uint64_t>(call);
    case TypeId::kNumeric:
      return Search<__int128, WordPair>(call, SplitWide);
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
    case TypeId::kBytea:
      return SearchPlain<absl::string_view>(call);
    case TypeId::kUuid:
      return Search<UuidBytes, WordPair>(call, SplitUuid);
    case TypeId::kInterval:
      return Search<IntervalParts, WordPair>(
          call, [](const IntervalParts& value) { return SplitWide(IntervalOrder(value)); });
    case TypeId::kUnknown:
      break;
  }
  return InternalError("IN of a type without values");
}

}  // namespace millrace
