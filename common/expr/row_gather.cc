#include "common/expr/row_gather.h"

#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "arrow/array.h"
#include "arrow/util/bitmap_ops.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/expr/column_writer.h"
#include "common/expr/evaluator.h"

namespace millrace {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;
using BufferPtr = std::shared_ptr<arrow::Buffer>;

struct Selection {
  const int32_t* indices;
  int64_t length;
};

// A bitmap of the selected bits.
absl::StatusOr<BufferPtr> GatherBits(const uint8_t* bits, int64_t offset, const Selection& rows) {
  MR_ASSIGN_OR_RETURN(BufferPtr result, AllocateBits(rows.length));
  uint8_t* out = result->mutable_data();
  int64_t i = 0;
  for (; i + 8 <= rows.length; i += 8) {
    uint32_t byte = 0;
    for (int64_t j = 0; j < 8; ++j) {
      const int64_t at = offset + rows.indices[i + j];
      byte |= static_cast<uint32_t>((bits[at >> 3] >> (at & 7)) & 1) << j;
    }
    out[i / 8] = static_cast<uint8_t>(byte);
  }
  for (; i < rows.length; ++i) {
    if (arrow::bit_util::GetBit(bits, offset + rows.indices[i])) arrow::bit_util::SetBit(out, i);
  }
  return result;
}

absl::StatusOr<Validity> GatherValidity(const arrow::ArrayData& data, int64_t null_count,
                                        const Selection& rows) {
  Validity validity;
  if (null_count == 0 || data.buffers[0] == nullptr) return validity;
  MR_ASSIGN_OR_RETURN(validity.bits, GatherBits(data.buffers[0]->data(), data.offset, rows));
  validity.num_nulls =
      rows.length - arrow::internal::CountSetBits(validity.bits->data(), 0, rows.length);
  if (validity.num_nulls == 0) validity.bits = nullptr;
  return validity;
}

// Copies values of sizeof(T) bytes. T need not be the value's type; memcpy keeps odd alignments
// safe.
template <typename T>
absl::StatusOr<BufferPtr> GatherValues(const arrow::ArrayData& data, const Selection& rows) {
  MR_ASSIGN_OR_RETURN(BufferPtr result,
                      AllocateBytes(rows.length * static_cast<int64_t>(sizeof(T))));
  if (data.buffers[1] == nullptr) return result;
  const uint8_t* in = data.buffers[1]->data() + data.offset * static_cast<int64_t>(sizeof(T));
  uint8_t* out = result->mutable_data();
  for (int64_t i = 0; i < rows.length; ++i) {
    T value;
    std::memcpy(&value,
                in + static_cast<int64_t>(rows.indices[i]) * static_cast<int64_t>(sizeof(T)),
                sizeof(T));
    std::memcpy(out + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
  }
  return result;
}

absl::StatusOr<BufferPtr> GatherFixed(const arrow::ArrayData& data, int width,
                                      const Selection& rows) {
  struct Sixteen {
    uint64_t words[2];
  };
  switch (width) {
    case 1:
      return GatherValues<uint8_t>(data, rows);
    case 2:
      return GatherValues<uint16_t>(data, rows);
    case 4:
      return GatherValues<uint32_t>(data, rows);
    case 8:
      return GatherValues<uint64_t>(data, rows);
    case 16:
      return GatherValues<Sixteen>(data, rows);
    default:
      return InternalError("rows of this width cannot be gathered");
  }
}

absl::StatusOr<ArrayPtr> GatherText(const arrow::Array& array, const Selection& rows,
                                    int64_t bytes_max) {
  const auto& text = static_cast<const arrow::BinaryArray&>(array);
  const int32_t* offsets = text.raw_value_offsets();
  MR_ASSIGN_OR_RETURN(Validity validity, GatherValidity(*array.data(), array.null_count(), rows));
  MR_ASSIGN_OR_RETURN(BufferPtr new_offsets, AllocateBytes((rows.length + 1) * 4));
  auto* ends = reinterpret_cast<int32_t*>(new_offsets->mutable_data());
  int64_t total = 0;
  ends[0] = 0;
  for (int64_t i = 0; i < rows.length; ++i) {
    const int32_t at = rows.indices[i];
    total += offsets[at + 1] - offsets[at];
    ends[i + 1] = static_cast<int32_t>(total);
  }
  if (total > bytes_max) return TooMuchText(bytes_max);
  MR_ASSIGN_OR_RETURN(BufferPtr bytes, AllocateBytes(total));
  const uint8_t* in = text.raw_data();
  uint8_t* out = bytes->mutable_data();
  // Texts that are all empty may have no buffer.
  for (int64_t i = 0; i < rows.length && total > 0; ++i) {
    const int32_t begin = offsets[rows.indices[i]];
    std::memcpy(out + ends[i], in + begin, static_cast<size_t>(ends[i + 1] - ends[i]));
  }
  return arrow::MakeArray(arrow::ArrayData::Make(
      array.type(), rows.length, {validity.bits, std::move(new_offsets), std::move(bytes)},
      validity.num_nulls));
}

absl::StatusOr<ArrayPtr> GatherDictionary(const arrow::Array& array, const Selection& rows) {
  const arrow::ArrayData& data = *array.data();
  MR_ASSIGN_OR_RETURN(Validity validity, GatherValidity(data, array.null_count(), rows));
  const auto& type = static_cast<const arrow::DictionaryType&>(*array.type());
  MR_ASSIGN_OR_RETURN(BufferPtr codes, GatherFixed(data, type.index_type()->byte_width(), rows));
  auto result = arrow::ArrayData::Make(array.type(), rows.length, {validity.bits, std::move(codes)},
                                       validity.num_nulls);
  result->dictionary = data.dictionary;
  return arrow::MakeArray(std::move(result));
}

bool IsIdentity(const int32_t* indices, int64_t num_indices) {
  for (int64_t i = 0; i < num_indices; ++i) {
    if (indices[i] != i) return false;
  }
  return true;
}

absl::StatusOr<ArrayPtr> Gather(const arrow::Array& array, const int32_t* indices,
                                int64_t num_indices, int64_t text_bytes_max) {
  const Selection rows{indices, num_indices};
  const arrow::ArrayData& data = *array.data();
  switch (array.type_id()) {
    case arrow::Type::NA:
      return ArrayPtr(std::make_shared<arrow::NullArray>(num_indices));
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return GatherText(array, rows, text_bytes_max);
    case arrow::Type::DICTIONARY:
      return GatherDictionary(array, rows);
    default:
      break;
  }
  MR_ASSIGN_OR_RETURN(Validity validity, GatherValidity(data, array.null_count(), rows));
  BufferPtr values;
  if (array.type_id() == arrow::Type::BOOL) {
    MR_ASSIGN_OR_RETURN(values, GatherBits(data.buffers[1]->data(), data.offset, rows));
  } else {
    MR_ASSIGN_OR_RETURN(values, GatherFixed(data, array.type()->byte_width(), rows));
  }
  return arrow::MakeArray(arrow::ArrayData::Make(
      array.type(), num_indices, {validity.bits, std::move(values)}, validity.num_nulls));
}

}  // namespace

absl::StatusOr<ArrayPtr> GatherRows(const arrow::Array& array, const int32_t* indices,
                                    int64_t num_indices) {
  return Gather(array, indices, num_indices, std::numeric_limits<int32_t>::max());
}

absl::StatusOr<ArrayPtr> RepeatFirstRow(const arrow::Array& array, int64_t num_rows,
                                        int64_t text_bytes_max) {
  const std::vector<int32_t> zeros(static_cast<size_t>(num_rows), 0);
  return Gather(array, zeros.data(), num_rows, text_bytes_max);
}

absl::StatusOr<ArrayPtr> ExpandDictionary(const arrow::DictionaryArray& codes,
                                          const arrow::Array& values, int64_t text_bytes_max) {
  MR_CHECK(codes.indices()->type_id() == arrow::Type::INT32);
  const auto& indices = static_cast<const arrow::Int32Array&>(*codes.indices());
  const int32_t* raw = indices.raw_values();
  if (codes.null_count() == 0) return Gather(values, raw, codes.length(), text_bytes_max);
  // The code of a NULL may be anything, and the dictionary may even be empty.
  if (values.length() == 0) {
    MR_ASSIGN_ARROW_OR_RETURN(ArrayPtr nulls,
                              arrow::MakeArrayOfNull(values.type(), codes.length()));
    return nulls;
  }
  std::vector<int32_t> safe(static_cast<size_t>(codes.length()));
  for (int64_t i = 0; i < codes.length(); ++i) safe[i] = codes.IsNull(i) ? 0 : raw[i];
  MR_ASSIGN_OR_RETURN(ArrayPtr expanded,
                      Gather(values, safe.data(), codes.length(), text_bytes_max));
  // Rows are NULL where the code is, or the value behind it.
  const std::shared_ptr<arrow::ArrayData> data = expanded->data()->Copy();
  MR_ASSIGN_OR_RETURN(BufferPtr bits, AllocateBits(codes.length()));
  const arrow::ArrayData& source = *codes.data();
  if (data->buffers[0] == nullptr) {
    arrow::internal::CopyBitmap(source.buffers[0]->data(), source.offset, codes.length(),
                                bits->mutable_data(), 0);
  } else {
    arrow::internal::BitmapAnd(source.buffers[0]->data(), source.offset, data->buffers[0]->data(),
                               0, codes.length(), 0, bits->mutable_data());
  }
  data->null_count =
      codes.length() - arrow::internal::CountSetBits(bits->data(), 0, codes.length());
  data->buffers[0] = std::move(bits);
  return arrow::MakeArray(data);
}

absl::StatusOr<ArrayPtr> Decode(ArrayPtr array, int64_t text_bytes_max) {
  if (array->type_id() != arrow::Type::DICTIONARY) return array;
  const auto& codes = static_cast<const arrow::DictionaryArray&>(*array);
  return ExpandDictionary(codes, *codes.dictionary(), text_bytes_max);
}

absl::StatusOr<Batch> TakeRows(const Batch& batch, const int32_t* indices, int64_t num_indices) {
  if (num_indices == batch.num_rows() && IsIdentity(indices, num_indices)) return batch;
  std::vector<ArrayPtr> columns;
  columns.reserve(batch.columns().size());
  for (const ArrayPtr& column : batch.columns()) {
    MR_ASSIGN_OR_RETURN(ArrayPtr taken, GatherRows(*column, indices, num_indices));
    columns.push_back(std::move(taken));
  }
  std::shared_ptr<arrow::Int64Array> weights;
  if (batch.weights() != nullptr) {
    MR_ASSIGN_OR_RETURN(ArrayPtr taken, GatherRows(*batch.weights(), indices, num_indices));
    weights = std::static_pointer_cast<arrow::Int64Array>(taken);
  }
  return Batch(std::move(columns), num_indices, std::move(weights));
}

}  // namespace millrace
