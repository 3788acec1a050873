#include "worker/connectors/datagen/column_generator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/array/data.h"
#include "arrow/array/util.h"
#include "arrow/buffer_builder.h"
#include "common/base/status.h"
#include "common/types/arrow_status.h"
#include "common/types/decimal.h"

namespace millrace {
namespace {

// What random bits of a row are used for.
constexpr uint32_t kValueStream = 0;
constexpr uint32_t kNullStream = 1;
constexpr uint32_t kDisorderStream = 2;
constexpr uint32_t kMoreStream = 3;

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
uint64_t Mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// Uniform in [0, n), n > 0 (Lemire's multiplication; the bias is below n / 2^64).
uint64_t Below(uint64_t bits, uint64_t n) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(bits) * n) >> 64);
}

// min + offset, without signed overflow.
int64_t Plus(int64_t min, uint64_t offset) {
  return static_cast<int64_t>(static_cast<uint64_t>(min) + offset);
}

// Values in [min, max]; 0 stands for all 2^64.
uint64_t Span(int64_t min, int64_t max) {
  return static_cast<uint64_t>(max) - static_cast<uint64_t>(min) + 1;
}

struct UuidBytes {
  uint8_t bytes[16];
};

}  // namespace

ColumnGenerator::ColumnGenerator(const Field& field, const DatagenColumn& spec, uint64_t seed,
                                 uint32_t column_index)
    : field_(field), spec_(spec), key_(Mix(Mix(seed) ^ column_index)) {}

uint64_t ColumnGenerator::Bits(uint64_t row, uint32_t stream) const {
  return Mix(key_ ^ Mix(row * 8 + stream));
}

double ColumnGenerator::Unit(uint64_t row, uint32_t stream) const {
  return static_cast<double>(Bits(row, stream) >> 11) * 0x1.0p-53;
}

bool ColumnGenerator::IsNull(uint64_t row) const {
  return spec_.null_share > 0 && Unit(row, kNullStream) < spec_.null_share;
}

uint64_t ColumnGenerator::Choice(uint64_t row) const {
  const uint64_t n = spec_.cardinality;
  if (spec_.zipf <= 0) return Below(Bits(row, kValueStream), n);
  // Inverse of the continuous power law's distribution over [1, n + 1).
  const double u = Unit(row, kValueStream);
  const double limit = static_cast<double>(n) + 1;
  const double exponent = 1 - spec_.zipf;
  const double x = std::abs(exponent) < 1e-9
                       ? std::pow(limit, u)
                       : std::pow((std::pow(limit, exponent) - 1) * u + 1, 1 / exponent);
  return std::min<uint64_t>(n - 1, static_cast<uint64_t>(std::max(x - 1, 0.0)));
}

int64_t ColumnGenerator::IntegerAt(uint64_t row) const {
  if (spec_.kind == DatagenKind::kSequence) {
    int64_t value = Plus(spec_.min, row * static_cast<uint64_t>(spec_.step));
    if (spec_.disorder_micros > 0) {
      value -= static_cast<int64_t>(
          Below(Bits(row, kDisorderStream), static_cast<uint64_t>(spec_.disorder_micros) + 1));
    }
    return value;
  }
  const uint64_t span = Span(spec_.min, spec_.max);
  if (spec_.cardinality == 0) {
    const uint64_t bits = Bits(row, kValueStream);
    return Plus(spec_.min, span == 0 ? bits : Below(bits, span));
  }
  // The values are spread evenly over the range.
  const uint64_t stride =
      std::max<uint64_t>(1, (span == 0 ? UINT64_MAX : span) / spec_.cardinality);
  return std::min(spec_.max, Plus(spec_.min, Choice(row) * stride));
}

double ColumnGenerator::FloatAt(uint64_t row) const {
  const double width = spec_.max_double - spec_.min_double;
  if (spec_.kind == DatagenKind::kSequence) {
    return spec_.min_double + static_cast<double>(row) * static_cast<double>(spec_.step);
  }
  if (spec_.cardinality == 0) return spec_.min_double + width * Unit(row, kValueStream);
  return spec_.min_double +
         width * static_cast<double>(Choice(row)) / static_cast<double>(spec_.cardinality);
}

__int128 ColumnGenerator::NumericAt(uint64_t row) const {
  const __int128 unit = PowerOfTen(std::min(field_.type.scale, 18));
  const __int128 rest = PowerOfTen(field_.type.scale - std::min(field_.type.scale, 18));
  // At most 15 digits before the point and 18 behind it.
  if (spec_.kind == DatagenKind::kSequence) {
    const __int128 first = static_cast<__int128>(std::llround(spec_.min_double)) * unit;
    return (first + static_cast<__int128>(row) * spec_.step * unit) * rest;
  }
  const auto steps =
      static_cast<unsigned __int128>(static_cast<long double>(spec_.max_double - spec_.min_double) *
                                     static_cast<long double>(unit));
  unsigned __int128 offset = 0;
  if (spec_.cardinality > 0) {
    offset = steps / spec_.cardinality * Choice(row);
  } else {
    const auto bits =
        static_cast<unsigned __int128>(Bits(row, kValueStream)) << 64 | Bits(row, kMoreStream);
    offset = bits % (steps + 1);
  }
  const auto first = static_cast<__int128>(static_cast<long double>(spec_.min_double) *
                                           static_cast<long double>(unit));
  return (first + static_cast<__int128>(offset)) * rest;
}

void ColumnGenerator::AppendTextAt(uint64_t row, std::string* out) const {
  if (spec_.kind == DatagenKind::kSequence) {
    absl::StrAppend(out, field_.name, "_", row);
    return;
  }
  if (spec_.cardinality > 0) {
    absl::StrAppend(out, field_.name, "_", Choice(row));
    return;
  }
  uint64_t bits = Bits(row, kValueStream);
  for (uint32_t i = 0; i < spec_.length; ++i) {
    if (i % 12 == 11) bits = Mix(bits + i);
    out->push_back(static_cast<char>('a' + Below(bits, 26)));
    bits *= 26;
  }
}

absl::StatusOr<std::shared_ptr<arrow::Buffer>> ColumnGenerator::Validity(uint64_t begin,
                                                                         int64_t num_rows) const {
  if (spec_.null_share <= 0) return nullptr;
  arrow::TypedBufferBuilder<bool> bits;
  MR_RETURN_IF_ARROW_ERROR(bits.Reserve(num_rows));
  for (int64_t i = 0; i < num_rows; ++i) {
    bits.UnsafeAppend(!IsNull(begin + static_cast<uint64_t>(i)));
  }
  return FromArrow(bits.Finish());
}

template <typename T, typename ValueAt>
absl::StatusOr<std::shared_ptr<arrow::Array>> ColumnGenerator::Fixed(
    uint64_t begin, int64_t num_rows, const ValueAt& value_at) const {
  arrow::TypedBufferBuilder<T> values;
  MR_RETURN_IF_ARROW_ERROR(values.Reserve(num_rows));
  for (int64_t i = 0; i < num_rows; ++i) {
    values.UnsafeAppend(static_cast<T>(value_at(begin + static_cast<uint64_t>(i))));
  }
  MR_ASSIGN_OR_RETURN(auto validity, Validity(begin, num_rows));
  MR_ASSIGN_ARROW_OR_RETURN(std::shared_ptr<arrow::Buffer> buffer, values.Finish());
  return arrow::MakeArray(arrow::ArrayData::Make(ToArrowType(field_.type), num_rows,
                                                 {std::move(validity), std::move(buffer)}));
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ColumnGenerator::Booleans(uint64_t begin,
                                                                        int64_t num_rows) const {
  arrow::TypedBufferBuilder<bool> values;
  MR_RETURN_IF_ARROW_ERROR(values.Reserve(num_rows));
  for (int64_t i = 0; i < num_rows; ++i) {
    const uint64_t row = begin + static_cast<uint64_t>(i);
    values.UnsafeAppend(spec_.kind == DatagenKind::kSequence ? row % 2 != 0
                                                             : Bits(row, kValueStream) >> 63 != 0);
  }
  MR_ASSIGN_OR_RETURN(auto validity, Validity(begin, num_rows));
  MR_ASSIGN_ARROW_OR_RETURN(std::shared_ptr<arrow::Buffer> buffer, values.Finish());
  return arrow::MakeArray(arrow::ArrayData::Make(ToArrowType(field_.type), num_rows,
                                                 {std::move(validity), std::move(buffer)}));
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ColumnGenerator::Strings(uint64_t begin,
                                                                       int64_t num_rows) const {
  arrow::TypedBufferBuilder<int32_t> offsets;
  MR_RETURN_IF_ARROW_ERROR(offsets.Reserve(num_rows + 1));
  std::string text;
  for (int64_t i = 0; i < num_rows; ++i) {
    offsets.UnsafeAppend(static_cast<int32_t>(text.size()));
    AppendTextAt(begin + static_cast<uint64_t>(i), &text);
    if (text.size() > INT32_MAX) {
      return MakeError(SqlState::kProgramLimitExceeded, "generated strings exceed 2 GiB");
    }
  }
  offsets.UnsafeAppend(static_cast<int32_t>(text.size()));
  MR_ASSIGN_OR_RETURN(auto validity, Validity(begin, num_rows));
  MR_ASSIGN_ARROW_OR_RETURN(std::shared_ptr<arrow::Buffer> offset_buffer, offsets.Finish());
  return arrow::MakeArray(arrow::ArrayData::Make(
      ToArrowType(field_.type), num_rows,
      {std::move(validity), std::move(offset_buffer), arrow::Buffer::FromString(std::move(text))}));
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ColumnGenerator::Generate(uint64_t begin,
                                                                        int64_t num_rows) const {
  const auto integer = [this](uint64_t row) { return IntegerAt(row); };
  switch (field_.type.id) {
    case TypeId::kBoolean:
      return Booleans(begin, num_rows);
    case TypeId::kInt16:
      return Fixed<int16_t>(begin, num_rows, integer);
    case TypeId::kInt32:
    case TypeId::kDate:
      return Fixed<int32_t>(begin, num_rows, integer);
    case TypeId::kInt64:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return Fixed<int64_t>(begin, num_rows, integer);
    case TypeId::kTime:
      return Fixed<int64_t>(begin, num_rows, [this](uint64_t row) {
        return static_cast<int64_t>(static_cast<uint64_t>(IntegerAt(row)) % 86'400'000'000);
      });
    case TypeId::kFloat32:
      return Fixed<float>(begin, num_rows, [this](uint64_t row) { return FloatAt(row); });
    case TypeId::kFloat64:
      return Fixed<double>(begin, num_rows, [this](uint64_t row) { return FloatAt(row); });
    case TypeId::kNumeric:
      return Fixed<__int128>(begin, num_rows, [this](uint64_t row) { return NumericAt(row); });
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
    case TypeId::kBytea:
      return Strings(begin, num_rows);
    case TypeId::kUuid:
      return Fixed<UuidBytes>(begin, num_rows, [this](uint64_t row) {
        UuidBytes uuid;
        for (int i = 0; i < 8; ++i) {
          uuid.bytes[i] = static_cast<uint8_t>(Bits(row, kValueStream) >> (8 * i));
          uuid.bytes[8 + i] = static_cast<uint8_t>(Bits(row, kMoreStream) >> (8 * i));
        }
        uuid.bytes[6] = static_cast<uint8_t>((uuid.bytes[6] & 0x0F) | 0x40);  // Version 4,
        uuid.bytes[8] = static_cast<uint8_t>((uuid.bytes[8] & 0x3F) | 0x80);  // RFC 4122.
        return uuid;
      });
    case TypeId::kInterval:
    case TypeId::kUnknown:
      break;
  }
  return NotSupported(absl::StrCat("generating a column of type ", TypeName(field_.type)));
}

}  // namespace millrace
