#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "arrow/buffer.h"
#include "arrow/type_fwd.h"
#include "common/types/sql_type.h"
#include "worker/kernels/flat_vector.h"

namespace millrace {

// Makes an Arrow buffer of a flat vector, without a copy.
template <typename T>
class FlatBuffer final : public arrow::Buffer {
 public:
  explicit FlatBuffer(FlatVector<T> values)
      : arrow::Buffer(reinterpret_cast<const uint8_t*>(values.data()),
                      values.size() * static_cast<int64_t>(sizeof(T))),
        values_(std::move(values)) {}

 private:
  FlatVector<T> values_;
};

template <typename T>
std::shared_ptr<arrow::Buffer> ToBuffer(FlatVector<T> values) {
  return std::make_shared<FlatBuffer<T>>(std::move(values));
}

// The validity bits of an output column; costs nothing while there is no NULL.
class NullBits {
 public:
  explicit NullBits(int64_t length) : length_(length) {}

  void SetNull(int64_t i) {
    if (null_count_ == 0) bits_.Resize((length_ + 7) / 8, 0xff);
    uint8_t& byte = bits_[i >> 3];
    const auto bit = static_cast<uint8_t>(1u << (i & 7));
    null_count_ += (byte & bit) != 0 ? 1 : 0;
    byte = static_cast<uint8_t>(byte & ~bit);
  }
  int64_t null_count() const { return null_count_; }
  // Null if there is no NULL.
  std::shared_ptr<arrow::Buffer> Finish() {
    return null_count_ == 0 ? nullptr : ToBuffer(std::move(bits_));
  }

 private:
  const int64_t length_;
  int64_t null_count_ = 0;
  FlatVector<uint8_t> bits_;
};

std::shared_ptr<arrow::Array> MakeArray(const std::shared_ptr<arrow::DataType>& type,
                                        int64_t length, std::shared_ptr<arrow::Buffer> values,
                                        NullBits nulls);

// A fixed-width column from its values (of the width that `type` has in memory).
template <typename T>
std::shared_ptr<arrow::Array> MakeFixedArray(const std::shared_ptr<arrow::DataType>& type,
                                             FlatVector<T> values, NullBits nulls) {
  const int64_t length = values.size();
  return MakeArray(type, length, ToBuffer(std::move(values)), std::move(nulls));
}

// A boolean column from one byte for each value.
std::shared_ptr<arrow::Array> MakeBoolArray(const FlatVector<uint8_t>& values, NullBits nulls);

// An array holds at most so much text: its offsets have 32 bits.
inline constexpr int64_t kTextOutputBytesMax = INT32_MAX;

// True if a TextOutput of this thread had to leave text out since the last call. What gathers rows
// has no way to fail; whoever runs it asks here before the rows go on.
bool TakeTextOverflow();

// Collects a column of text or bytea. Text that would be too much for one array becomes NULL, and
// is told by TakeTextOverflow.
class TextOutput {
 public:
  explicit TextOutput(int64_t length) : nulls_(length) { offsets_.Reserve(length + 1); }

  void Append(std::string_view text) {
    if (!Fits(text)) return AppendNull();
    offsets_.PushBack(static_cast<int32_t>(chars_.size()));
    chars_.Append(text.data(), static_cast<int64_t>(text.size()));
  }
  // Makes the last text longer.
  void Extend(std::string_view more) {
    if (Fits(more)) chars_.Append(more.data(), static_cast<int64_t>(more.size()));
  }
  void AppendNull() {
    nulls_.SetNull(offsets_.size());
    offsets_.PushBack(static_cast<int32_t>(chars_.size()));
  }
  int64_t size_bytes() const { return chars_.size(); }
  std::shared_ptr<arrow::Array> Finish(const std::shared_ptr<arrow::DataType>& type);

 private:
  // Notes it if it does not.
  bool Fits(std::string_view text) const {
    if (static_cast<int64_t>(text.size()) <= kTextOutputBytesMax - chars_.size()) return true;
    NoteOverflow();
    return false;
  }
  static void NoteOverflow();

  FlatVector<int32_t> offsets_;
  FlatVector<char> chars_;
  NullBits nulls_;
};

// A bigint column, for counts and weights.
std::shared_ptr<arrow::Int64Array> MakeInt64Array(FlatVector<int64_t> values);

// A column of NULLs.
std::shared_ptr<arrow::Array> MakeNullArray(const SqlType& type, int64_t length);

}  // namespace millrace
