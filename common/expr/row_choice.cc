#include "common/expr/row_choice.h"

#include <cstring>

#include "arrow/array.h"
#include "arrow/util/bitmap_ops.h"
#include "common/base/status.h"
#include "common/expr/column_writer.h"
#include "common/expr/row_gather.h"

namespace millrace {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

// Row of the choice's values for its i-th entry.
int64_t SourceRow(const RowChoice& choice, size_t i) {
  if (choice.values.is_constant) return 0;
  return choice.dense ? static_cast<int64_t>(i) : choice.rows[i];
}

bool HasNoNulls(const RowChoice& choice) { return choice.values.array->null_count() == 0; }

absl::StatusOr<Validity> ChooseValidity(int64_t num_rows, absl::Span<const RowChoice> choices) {
  Validity validity;
  int64_t num_named = 0;
  bool all_valid = true;
  for (const RowChoice& choice : choices) {
    num_named += static_cast<int64_t>(choice.rows.size());
    all_valid &= HasNoNulls(choice) || choice.rows.empty();
  }
  if (all_valid && num_named == num_rows) return validity;
  MR_ASSIGN_OR_RETURN(validity.bits, AllocateBits(num_rows));
  uint8_t* bits = validity.bits->mutable_data();
  for (const RowChoice& choice : choices) {
    const bool no_nulls = HasNoNulls(choice);
    for (size_t i = 0; i < choice.rows.size(); ++i) {
      if (no_nulls || choice.values.array->IsValid(SourceRow(choice, i))) {
        arrow::bit_util::SetBit(bits, choice.rows[i]);
      }
    }
  }
  validity.num_nulls = num_rows - arrow::internal::CountSetBits(bits, 0, num_rows);
  return validity;
}

template <typename T>
void ScatterFixed(const RowChoice& choice, uint8_t* out) {
  const arrow::ArrayData& data = *choice.values.array->data();
  if (data.buffers.size() < 2 || data.buffers[1] == nullptr) return;
  const uint8_t* in = data.buffers[1]->data() + data.offset * static_cast<int64_t>(sizeof(T));
  const auto copy = [&](int64_t from, int64_t to) {
    std::memcpy(out + to * static_cast<int64_t>(sizeof(T)),
                in + from * static_cast<int64_t>(sizeof(T)), sizeof(T));
  };
  const size_t n = choice.rows.size();
  if (choice.values.is_constant) {
    for (size_t i = 0; i < n; ++i) copy(0, choice.rows[i]);
  } else if (choice.dense) {
    for (size_t i = 0; i < n; ++i) copy(static_cast<int64_t>(i), choice.rows[i]);
  } else {
    for (size_t i = 0; i < n; ++i) copy(choice.rows[i], choice.rows[i]);
  }
}

absl::Status ScatterWidth(const RowChoice& choice, int width, uint8_t* out) {
  struct Sixteen {
    uint64_t words[2];
  };
  switch (width) {
    case 2:
      ScatterFixed<uint16_t>(choice, out);
      return absl::OkStatus();
    case 4:
      ScatterFixed<uint32_t>(choice, out);
      return absl::OkStatus();
    case 8:
      ScatterFixed<uint64_t>(choice, out);
      return absl::OkStatus();
    case 16:
      ScatterFixed<Sixteen>(choice, out);
      return absl::OkStatus();
    default:
      return InternalError("rows of this width cannot be chosen");
  }
}

absl::StatusOr<ArrayPtr> ChooseBits(const SqlType& type, int64_t num_rows,
                                    absl::Span<const RowChoice> choices, const Validity& validity) {
  MR_ASSIGN_OR_RETURN(auto bits, AllocateBits(num_rows));
  for (const RowChoice& choice : choices) {
    if (choice.values.array->type_id() != arrow::Type::BOOL) continue;
    const auto& values = static_cast<const arrow::BooleanArray&>(*choice.values.array);
    for (size_t i = 0; i < choice.rows.size(); ++i) {
      if (values.Value(SourceRow(choice, i))) {
        arrow::bit_util::SetBit(bits->mutable_data(), choice.rows[i]);
      }
    }
  }
  return MakeFixedArray(type, num_rows, validity, std::move(bits));
}

absl::StatusOr<ArrayPtr> ChooseText(const SqlType& type, int64_t num_rows,
                                    absl::Span<const RowChoice> choices, const Validity& validity,
                                    int64_t text_bytes_max) {
  std::vector<absl::string_view> texts(static_cast<size_t>(num_rows));
  size_t num_bytes = 0;
  for (const RowChoice& choice : choices) {
    if (choice.values.array->type_id() == arrow::Type::NA) continue;
    const ColumnReader<absl::string_view> values(Operand{choice.values.array, false, type, 0});
    for (size_t i = 0; i < choice.rows.size(); ++i) {
      const absl::string_view text = values[SourceRow(choice, i)];
      texts[choice.rows[i]] = text;
      num_bytes += text.size();
    }
  }
  KernelCall call;
  call.num_rows = num_rows;
  call.result_type = type;
  call.text_bytes_max = text_bytes_max;
  ColumnWriter<std::string> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  MR_RETURN_IF_ERROR(writer.Reserve(num_bytes));
  for (int64_t row = 0; row < num_rows; ++row) {
    writer.slot()->append(texts[row].data(), texts[row].size());
    writer.Commit(row);
  }
  return writer.Finish(validity);
}

}  // namespace

absl::StatusOr<ArrayPtr> ChooseRows(const SqlType& type, int64_t num_rows,
                                    absl::Span<const RowChoice> choices, int64_t text_bytes_max) {
  std::vector<RowChoice> decoded(choices.begin(), choices.end());
  for (RowChoice& choice : decoded) {
    MR_ASSIGN_OR_RETURN(choice.values.array,
                        Decode(std::move(choice.values.array), text_bytes_max));
  }
  MR_ASSIGN_OR_RETURN(Validity validity, ChooseValidity(num_rows, decoded));
  const std::shared_ptr<arrow::DataType> arrow_type = ToArrowType(type);
  switch (arrow_type->id()) {
    case arrow::Type::NA:
      return ArrayPtr(std::make_shared<arrow::NullArray>(num_rows));
    case arrow::Type::BOOL:
      return ChooseBits(type, num_rows, decoded, validity);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return ChooseText(type, num_rows, decoded, validity, text_bytes_max);
    default:
      break;
  }
  const int width = arrow_type->byte_width();
  MR_ASSIGN_OR_RETURN(auto values, AllocateBytes(num_rows * width));
  if (validity.bits != nullptr) {
    std::memset(values->mutable_data(), 0, static_cast<size_t>(values->size()));
  }
  for (const RowChoice& choice : decoded) {
    if (choice.values.array->type_id() == arrow::Type::NA) continue;
    MR_RETURN_IF_ERROR(ScatterWidth(choice, width, values->mutable_data()));
  }
  return MakeFixedArray(type, num_rows, validity, std::move(values));
}

}  // namespace millrace
