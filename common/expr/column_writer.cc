#include "common/expr/column_writer.h"

#include "absl/strings/str_cat.h"
#include "arrow/util/bitmap_ops.h"
#include "common/base/status.h"

namespace millrace {

absl::Status TooMuchText(int64_t bytes_max) {
  return MakeError(SqlState::kProgramLimitExceeded,
                   absl::StrCat("the text that an expression gives for one batch of rows exceeds ",
                                bytes_max >> 20, " MiB"),
                   "make the values shorter, or read fewer rows");
}

absl::StatusOr<std::shared_ptr<arrow::Buffer>> AllocateBytes(int64_t num_bytes) {
  MR_ASSIGN_ARROW_OR_RETURN(std::unique_ptr<arrow::Buffer> buffer,
                            arrow::AllocateBuffer(num_bytes));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

absl::StatusOr<std::shared_ptr<arrow::Buffer>> AllocateBits(int64_t num_bits) {
  // Whole words, so that loops may work 64 rows at a time.
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes((num_bits + 63) / 64 * 8));
  std::memset(buffer->mutable_data(), 0, static_cast<size_t>(buffer->size()));
  return buffer;
}

absl::StatusOr<Validity> StrictValidity(const KernelCall& call) {
  Validity result;
  for (const Operand& arg : call.args) {
    if (arg.is_constant || arg.array->null_count() == 0) continue;
    const auto& data = *arg.array->data();
    if (data.buffers[0] == nullptr) {
      // The null type has no bitmap.
      MR_ASSIGN_OR_RETURN(result.bits, AllocateBits(call.num_rows));
      break;
    }
    if (result.bits == nullptr && data.offset == 0) {
      result.bits = data.buffers[0];
      continue;
    }
    MR_ASSIGN_OR_RETURN(auto target, AllocateBits(call.num_rows));
    if (result.bits == nullptr) {
      arrow::internal::CopyBitmap(data.buffers[0]->data(), data.offset, call.num_rows,
                                  target->mutable_data(), 0);
    } else {
      arrow::internal::BitmapAnd(result.bits->data(), 0, data.buffers[0]->data(), data.offset,
                                 call.num_rows, 0, target->mutable_data());
    }
    result.bits = std::move(target);
  }
  if (result.bits != nullptr) {
    result.num_nulls =
        call.num_rows - arrow::internal::CountSetBits(result.bits->data(), 0, call.num_rows);
  }
  return result;
}

std::shared_ptr<arrow::Array> MakeFixedArray(const SqlType& type, int64_t num_rows,
                                             const Validity& validity,
                                             std::shared_ptr<arrow::Buffer> values) {
  return arrow::MakeArray(arrow::ArrayData::Make(
      ToArrowType(type), num_rows, {validity.bits, std::move(values)}, validity.num_nulls));
}

absl::Status NullMarker::MarkNull(int64_t row) {
  if (!owned_) {
    MR_ASSIGN_OR_RETURN(auto bits, AllocateBits(num_rows_));
    if (validity_.bits == nullptr) {
      arrow::bit_util::SetBitsTo(bits->mutable_data(), 0, num_rows_, true);
    } else {
      arrow::internal::CopyBitmap(validity_.bits->data(), 0, num_rows_, bits->mutable_data(), 0);
    }
    validity_.bits = std::move(bits);
    owned_ = true;
  }
  arrow::bit_util::ClearBit(validity_.bits->mutable_data(), row);
  ++validity_.num_nulls;
  return absl::OkStatus();
}

absl::Status ColumnWriter<std::string>::Init(const KernelCall& call) {
  type_ = call.result_type;
  bytes_max_ = static_cast<size_t>(call.text_bytes_max);
  offsets_.resize(static_cast<size_t>(call.num_rows) + 1);
  return absl::OkStatus();
}

absl::Status ColumnWriter<std::string>::Reserve(size_t bytes) {
  if (bytes > bytes_max_) return TooMuchText(static_cast<int64_t>(bytes_max_));
  bytes_.reserve(bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ColumnWriter<std::string>::Finish(
    const Validity& validity) {
  MR_RETURN_IF_ERROR(CheckSize());
  const auto num_rows = static_cast<int64_t>(offsets_.size()) - 1;
  MR_ASSIGN_OR_RETURN(auto offsets, AllocateBytes((num_rows + 1) * 4));
  auto* target = reinterpret_cast<int32_t*>(offsets->mutable_data());
  for (int64_t i = 0; i <= num_rows; ++i) target[i] = static_cast<int32_t>(offsets_[i]);
  return arrow::MakeArray(arrow::ArrayData::Make(
      ToArrowType(type_), num_rows,
      {validity.bits, std::move(offsets), arrow::Buffer::FromString(std::move(bytes_))},
      validity.num_nulls));
}

absl::Status ColumnWriter<IntervalParts>::Init(const KernelCall& call) {
  num_rows_ = call.num_rows;
  MR_ASSIGN_OR_RETURN(buffer_, AllocateBytes(num_rows_ * static_cast<int64_t>(sizeof(*values_))));
  values_ =
      reinterpret_cast<arrow::MonthDayNanoIntervalType::MonthDayNanos*>(buffer_->mutable_data());
  return absl::OkStatus();
}

void ColumnWriter<IntervalParts>::Store(int64_t row, const IntervalParts& value) {
  values_[row] = {value.months, value.days, value.micros * 1000};
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ColumnWriter<IntervalParts>::Finish(
    const Validity& validity) {
  return MakeFixedArray(SqlType::Of(TypeId::kInterval), num_rows_, validity, std::move(buffer_));
}

}  // namespace millrace
