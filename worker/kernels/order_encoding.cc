#include "worker/kernels/order_encoding.h"

#include <bit>
#include <cstring>

#include "arrow/array.h"
#include "arrow/type.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

template <typename T>
void AppendBigEndian(T bits, std::string* out) {
  for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(bits >> shift));
  }
}

template <typename T>
T LoadBigEndian(std::string_view bytes) {
  T bits = 0;
  for (size_t i = 0; i < sizeof(T) && i < bytes.size(); ++i) {
    bits = static_cast<T>((bits << 8) | static_cast<uint8_t>(bytes[i]));
  }
  return bits;
}

// `decode` turns the ordered bits back into the value.
template <typename Value, typename Bits, typename Decode>
std::shared_ptr<arrow::Array> DecodeFixed(const SqlType& type,
                                          absl::Span<const std::string_view> values,
                                          const Decode& decode) {
  const auto n = static_cast<int64_t>(values.size());
  FlatVector<Value> out(n);
  NullBits nulls(n);
  for (int64_t i = 0; i < n; ++i) {
    if (values[i].data() == nullptr) {
      nulls.SetNull(i);
      out[i] = Value{};
    } else {
      out[i] = decode(LoadBigEndian<Bits>(values[i]));
    }
  }
  return MakeFixedArray(ToArrowType(type), std::move(out), std::move(nulls));
}

template <typename Value, typename Bits>
std::shared_ptr<arrow::Array> DecodeSigned(const SqlType& type,
                                           absl::Span<const std::string_view> values) {
  return DecodeFixed<Value, Bits>(type, values, [](Bits bits) {
    return static_cast<Value>(bits ^ static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1)));
  });
}

template <typename Value, typename Bits>
std::shared_ptr<arrow::Array> DecodeFloat(const SqlType& type,
                                          absl::Span<const std::string_view> values) {
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  return DecodeFixed<Value, Bits>(type, values, [](Bits bits) {
    return std::bit_cast<Value>((bits & kSign) != 0 ? static_cast<Bits>(bits ^ kSign)
                                                    : static_cast<Bits>(~bits));
  });
}

template <typename Bits>
Bits OrderedFloatBits(Bits bits) {
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  return (bits & kSign) != 0 ? static_cast<Bits>(~bits) : static_cast<Bits>(bits | kSign);
}

std::shared_ptr<arrow::Array> DecodeRaw16(const SqlType& type,
                                          absl::Span<const std::string_view> values, size_t at) {
  const auto n = static_cast<int64_t>(values.size());
  FlatVector<unsigned __int128> out(n);
  NullBits nulls(n);
  for (int64_t i = 0; i < n; ++i) {
    out[i] = 0;
    if (values[i].size() < at + 16) {
      nulls.SetNull(i);
    } else {
      std::memcpy(&out[i], values[i].data() + at, 16);
    }
  }
  return MakeFixedArray(ToArrowType(type), std::move(out), std::move(nulls));
}

std::shared_ptr<arrow::Array> DecodeBool(absl::Span<const std::string_view> values) {
  const auto n = static_cast<int64_t>(values.size());
  FlatVector<uint8_t> out(n);
  NullBits nulls(n);
  for (int64_t i = 0; i < n; ++i) {
    out[i] = !values[i].empty() && values[i][0] != 0 ? 1 : 0;
    if (values[i].data() == nullptr) nulls.SetNull(i);
  }
  return MakeBoolArray(out, std::move(nulls));
}

std::shared_ptr<arrow::Array> DecodeText(const SqlType& type,
                                         absl::Span<const std::string_view> values) {
  TextOutput out(static_cast<int64_t>(values.size()));
  for (const std::string_view value : values) {
    if (value.data() == nullptr) {
      out.AppendNull();
    } else {
      out.Append(value);
    }
  }
  return out.Finish(ToArrowType(type));
}

}  // namespace

uint64_t OrderedBits(double value) {
  return OrderedFloatBits(std::bit_cast<uint64_t>(CanonicalFloat(value)));
}
uint32_t OrderedBits(float value) {
  return OrderedFloatBits(std::bit_cast<uint32_t>(CanonicalFloat(value)));
}

void AppendOrdered(const ColumnView& column, int64_t row, std::string* out) {
  switch (column.layout) {
    case Layout::kNull:
      return;
    case Layout::kBool:
      return out->push_back(column.Bool(row) ? 1 : 0);
    case Layout::kInt16:
      return AppendBigEndian(OrderedBits(column.Get<int16_t>(row)), out);
    case Layout::kInt32:
      return AppendBigEndian(OrderedBits(column.Get<int32_t>(row)), out);
    case Layout::kInt64:
      return AppendBigEndian(OrderedBits(column.Get<int64_t>(row)), out);
    case Layout::kFloat32:
      return AppendBigEndian(OrderedBits(column.Get<float>(row)), out);
    case Layout::kFloat64:
      return AppendBigEndian(OrderedBits(column.Get<double>(row)), out);
    case Layout::kInt128:
      return AppendBigEndian(OrderedBits(column.Get<__int128>(row)), out);
    case Layout::kUuid:
      out->append(reinterpret_cast<const char*>(column.values) + 16 * row, 16);
      return;
    case Layout::kInterval: {
      const auto value = column.Get<RawInterval>(row);
      AppendBigEndian(OrderedBits(IntervalSpan(value)), out);
      out->append(reinterpret_cast<const char*>(&value), sizeof(value));
      return;
    }
    case Layout::kBytes:
    case Layout::kDictionary:
      out->append(column.Text(row));
      return;
  }
}

std::shared_ptr<arrow::Array> DecodeOrdered(const SqlType& type,
                                            absl::Span<const std::string_view> values) {
  switch (LayoutOf(*ToArrowType(type))) {
    case Layout::kBool:
      return DecodeBool(values);
    case Layout::kInt16:
      return DecodeSigned<int16_t, uint16_t>(type, values);
    case Layout::kInt32:
      return DecodeSigned<int32_t, uint32_t>(type, values);
    case Layout::kInt64:
      return DecodeSigned<int64_t, uint64_t>(type, values);
    case Layout::kFloat32:
      return DecodeFloat<float, uint32_t>(type, values);
    case Layout::kFloat64:
      return DecodeFloat<double, uint64_t>(type, values);
    case Layout::kInt128:
      return DecodeSigned<__int128, unsigned __int128>(type, values);
    case Layout::kUuid:
      return DecodeRaw16(type, values, 0);
    case Layout::kInterval:
      return DecodeRaw16(type, values, 16);
    case Layout::kBytes:
      return DecodeText(type, values);
    default:
      return MakeNullArray(type, static_cast<int64_t>(values.size()));
  }
}

}  // namespace millrace
