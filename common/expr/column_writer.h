#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "arrow/array.h"
#include "arrow/buffer.h"
#include "arrow/type.h"
#include "arrow/util/bit_util.h"
#include "common/expr/column_reader.h"
#include "common/types/arrow_status.h"
#include "common/types/sql_type.h"

// Typed results of kernels. Every row gets exactly one Set… call, in ascending order.

namespace millrace {

// A bitmap with one bit a row. `bits` may be null: all rows are valid.
struct Validity {
  std::shared_ptr<arrow::Buffer> bits;
  int64_t num_nulls = 0;

  bool IsValid(int64_t row) const {
    return bits == nullptr || arrow::bit_util::GetBit(bits->data(), row);
  }
};

// 54000: the text of some rows has more than `bytes_max` bytes.
absl::Status TooMuchText(int64_t bytes_max);

// The rows where no argument is NULL. Constant arguments are taken to be valid: the evaluator does
// not call a strict kernel with a constant NULL.
absl::StatusOr<Validity> StrictValidity(const KernelCall& call);
absl::StatusOr<std::shared_ptr<arrow::Buffer>> AllocateBytes(int64_t num_bytes);
// All bits zero.
absl::StatusOr<std::shared_ptr<arrow::Buffer>> AllocateBits(int64_t num_bits);

std::shared_ptr<arrow::Array> MakeFixedArray(const SqlType& type, int64_t num_rows,
                                             const Validity& validity,
                                             std::shared_ptr<arrow::Buffer> values);

// Marks rows as NULL beyond those that the arguments made NULL.
class NullMarker {
 public:
  NullMarker(Validity validity, int64_t num_rows)
      : validity_(std::move(validity)), num_rows_(num_rows) {}
  absl::Status MarkNull(int64_t row);
  const Validity& validity() const { return validity_; }

 private:
  Validity validity_;
  int64_t num_rows_;
  bool owned_ = false;
};

template <typename T>
class ColumnWriter {
 public:
  using Slot = T;
  absl::Status Init(const KernelCall& call) {
    type_ = call.result_type;
    num_rows_ = call.num_rows;
    MR_ASSIGN_OR_RETURN(buffer_, AllocateBytes(num_rows_ * static_cast<int64_t>(sizeof(T))));
    values_ = buffer_->mutable_data();
    return absl::OkStatus();
  }
  Slot* slot() { return &slot_; }
  void Commit(int64_t row) { Store(row, slot_); }
  void SetNull(int64_t row) { Store(row, T{}); }
  absl::StatusOr<std::shared_ptr<arrow::Array>> Finish(const Validity& validity) {
    return MakeFixedArray(type_, num_rows_, validity, std::move(buffer_));
  }

 private:
  void Store(int64_t row, const T& value) {
    std::memcpy(values_ + row * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
  }

  SqlType type_;
  int64_t num_rows_ = 0;
  std::shared_ptr<arrow::Buffer> buffer_;
  uint8_t* values_ = nullptr;
  T slot_{};
};

template <>
class ColumnWriter<bool> {
 public:
  using Slot = bool;
  absl::Status Init(const KernelCall& call) {
    type_ = call.result_type;
    num_rows_ = call.num_rows;
    MR_ASSIGN_OR_RETURN(buffer_, AllocateBits(num_rows_));
    return absl::OkStatus();
  }
  Slot* slot() { return &slot_; }
  void Commit(int64_t row) {
    if (slot_) arrow::bit_util::SetBit(buffer_->mutable_data(), row);
  }
  void SetNull(int64_t) {}
  absl::StatusOr<std::shared_ptr<arrow::Array>> Finish(const Validity& validity) {
    return MakeFixedArray(type_, num_rows_, validity, std::move(buffer_));
  }

 private:
  SqlType type_;
  int64_t num_rows_ = 0;
  std::shared_ptr<arrow::Buffer> buffer_;
  bool slot_ = false;
};

// The slot of text is the column's buffer: the kernel appends to it, and must not touch what is
// there.
template <>
class ColumnWriter<std::string> {
 public:
  using Slot = std::string;
  absl::Status Init(const KernelCall& call);
  Slot* slot() { return &bytes_; }
  void Commit(int64_t row) { offsets_[row + 1] = static_cast<int64_t>(bytes_.size()); }
  // 54000 once the text of all rows is larger than the call allows; asked after each row, because a
  // function can make much of little.
  absl::Status CheckSize() const {
    return bytes_.size() <= bytes_max_ ? absl::OkStatus()
                                       : TooMuchText(static_cast<int64_t>(bytes_max_));
  }
  // Room for the text of all rows; 54000 if it is larger than the call allows.
  absl::Status Reserve(size_t bytes);
  void SetNull(int64_t row) {
    bytes_.resize(static_cast<size_t>(offsets_[row]));
    offsets_[row + 1] = offsets_[row];
  }
  absl::StatusOr<std::shared_ptr<arrow::Array>> Finish(const Validity& validity);

 private:
  SqlType type_;
  size_t bytes_max_ = 0;
  std::vector<int64_t> offsets_;
  std::string bytes_;
};

template <>
class ColumnWriter<IntervalParts> {
 public:
  using Slot = IntervalParts;
  absl::Status Init(const KernelCall& call);
  Slot* slot() { return &slot_; }
  void Commit(int64_t row) { Store(row, slot_); }
  void SetNull(int64_t row) { Store(row, IntervalParts{}); }
  absl::StatusOr<std::shared_ptr<arrow::Array>> Finish(const Validity& validity);

 private:
  void Store(int64_t row, const IntervalParts& value);

  int64_t num_rows_ = 0;
  std::shared_ptr<arrow::Buffer> buffer_;
  arrow::MonthDayNanoIntervalType::MonthDayNanos* values_ = nullptr;
  IntervalParts slot_;
};

}  // namespace millrace
