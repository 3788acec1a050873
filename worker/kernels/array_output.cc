#include "worker/kernels/array_output.h"

#include <algorithm>
#include <utility>

#include "arrow/array.h"
#include "arrow/array/data.h"
#include "arrow/array/util.h"
#include "arrow/type.h"

namespace millrace {
namespace {

thread_local bool text_overflow = false;

}  // namespace

bool TakeTextOverflow() { return std::exchange(text_overflow, false); }

void TextOutput::NoteOverflow() { text_overflow = true; }

std::shared_ptr<arrow::Array> MakeArray(const std::shared_ptr<arrow::DataType>& type,
                                        int64_t length, std::shared_ptr<arrow::Buffer> values,
                                        NullBits nulls) {
  const int64_t null_count = nulls.null_count();
  return arrow::MakeArray(
      arrow::ArrayData::Make(type, length, {nulls.Finish(), std::move(values)}, null_count));
}

std::shared_ptr<arrow::Array> MakeBoolArray(const FlatVector<uint8_t>& values, NullBits nulls) {
  const int64_t length = values.size();
  FlatVector<uint8_t> bits;
  bits.Resize((length + 7) / 8, 0);
  for (int64_t i = 0; i < length; ++i) {
    bits[i >> 3] = static_cast<uint8_t>(bits[i >> 3] | ((values[i] != 0 ? 1 : 0) << (i & 7)));
  }
  return MakeArray(arrow::boolean(), length, ToBuffer(std::move(bits)), std::move(nulls));
}

std::shared_ptr<arrow::Array> TextOutput::Finish(const std::shared_ptr<arrow::DataType>& type) {
  const int64_t length = offsets_.size();
  offsets_.PushBack(static_cast<int32_t>(chars_.size()));
  const int64_t null_count = nulls_.null_count();
  return arrow::MakeArray(arrow::ArrayData::Make(
      type, length, {nulls_.Finish(), ToBuffer(std::move(offsets_)), ToBuffer(std::move(chars_))},
      null_count));
}

std::shared_ptr<arrow::Int64Array> MakeInt64Array(FlatVector<int64_t> values) {
  const int64_t length = values.size();
  return std::static_pointer_cast<arrow::Int64Array>(
      MakeFixedArray(arrow::int64(), std::move(values), NullBits(length)));
}

std::shared_ptr<arrow::Array> MakeNullArray(const SqlType& type, int64_t length) {
  // Fails only when memory is out.
  return arrow::MakeArrayOfNull(ToArrowType(type), length).ValueOrDie();
}

}  // namespace millrace
