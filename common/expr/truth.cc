#include "common/expr/truth.h"

#include <bit>
#include <cstring>

#include "arrow/array.h"
#include "arrow/util/bitmap_ops.h"
#include "common/expr/column_writer.h"

namespace millrace {
namespace {

size_t NumWords(int64_t num_rows) { return static_cast<size_t>((num_rows + 63) / 64); }

// The bits of a bitmap from `offset` on, in whole words with a zero tail.
std::vector<uint64_t> CopyBits(const uint8_t* bits, int64_t offset, int64_t num_rows) {
  std::vector<uint64_t> words(NumWords(num_rows), 0);
  if (num_rows == 0) return words;
  auto* out = reinterpret_cast<uint8_t*>(words.data());
  if (offset % 8 == 0) {
    std::memcpy(out, bits + offset / 8, static_cast<size_t>((num_rows + 7) / 8));
    const int64_t used = num_rows % 64;
    if (used != 0) words.back() &= (uint64_t{1} << used) - 1;
  } else {
    arrow::internal::CopyBitmap(bits, offset, num_rows, out, 0);
  }
  return words;
}

}  // namespace

void TruthColumn::ClearTail() {
  const int64_t used = num_rows_ % 64;
  if (used == 0 || is_true_.empty()) return;
  is_true_.back() &= (uint64_t{1} << used) - 1;
  is_false_.back() &= (uint64_t{1} << used) - 1;
}

TruthColumn TruthColumn::AllTrue(int64_t num_rows) {
  TruthColumn column;
  column.num_rows_ = num_rows;
  column.is_true_.assign(NumWords(num_rows), ~uint64_t{0});
  column.is_false_.assign(NumWords(num_rows), 0);
  column.ClearTail();
  return column;
}

TruthColumn TruthColumn::AllFalse(int64_t num_rows) {
  TruthColumn column = AllTrue(num_rows);
  column.is_true_.swap(column.is_false_);
  return column;
}

TruthColumn TruthColumn::FromOperand(const Operand& operand, int64_t num_rows) {
  TruthColumn column;
  column.num_rows_ = num_rows;
  const arrow::Array& array = *operand.array;
  if (operand.is_constant || array.type_id() == arrow::Type::NA) {
    const bool valid = array.type_id() != arrow::Type::NA && array.IsValid(0);
    const bool value = valid && static_cast<const arrow::BooleanArray&>(array).Value(0);
    column.is_true_.assign(NumWords(num_rows), value ? ~uint64_t{0} : 0);
    column.is_false_.assign(NumWords(num_rows), valid && !value ? ~uint64_t{0} : 0);
    column.ClearTail();
    return column;
  }
  const arrow::ArrayData& data = *array.data();
  column.is_true_ = CopyBits(data.buffers[1]->data(), data.offset, num_rows);
  column.is_false_.resize(column.is_true_.size());
  if (array.null_count() == 0) {
    for (size_t i = 0; i < column.is_true_.size(); ++i) column.is_false_[i] = ~column.is_true_[i];
  } else {
    const std::vector<uint64_t> valid = CopyBits(data.buffers[0]->data(), data.offset, num_rows);
    for (size_t i = 0; i < column.is_true_.size(); ++i) {
      column.is_false_[i] = ~column.is_true_[i] & valid[i];
      column.is_true_[i] &= valid[i];
    }
  }
  column.ClearTail();
  return column;
}

void TruthColumn::And(const TruthColumn& other) {
  for (size_t i = 0; i < is_true_.size(); ++i) {
    is_true_[i] &= other.is_true_[i];
    is_false_[i] |= other.is_false_[i];
  }
}

void TruthColumn::Or(const TruthColumn& other) {
  for (size_t i = 0; i < is_true_.size(); ++i) {
    is_true_[i] |= other.is_true_[i];
    is_false_[i] &= other.is_false_[i];
  }
}

void TruthColumn::Scatter(const std::vector<int32_t>& rows, const TruthColumn& values) {
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint64_t bit = uint64_t{1} << (rows[i] & 63);
    uint64_t& true_word = is_true_[rows[i] >> 6];
    uint64_t& false_word = is_false_[rows[i] >> 6];
    const auto at = static_cast<int64_t>(i);
    true_word = values.IsTrue(at) ? true_word | bit : true_word & ~bit;
    false_word = values.IsFalse(at) ? false_word | bit : false_word & ~bit;
  }
}

bool TruthColumn::AnyTrue() const {
  uint64_t any = 0;
  for (uint64_t word : is_true_) any |= word;
  return any != 0;
}

void AppendSetRows(const std::vector<uint64_t>& words, int64_t num_rows,
                   std::vector<int32_t>* rows) {
  const size_t start = rows->size();
  rows->resize(start + static_cast<size_t>(num_rows));
  int32_t* out = rows->data() + start;
  for (size_t w = 0; w < words.size(); ++w) {
    const auto base = static_cast<int32_t>(w * 64);
    uint64_t word = words[w];
    if (word == ~uint64_t{0}) {
      for (int32_t i = 0; i < 64; ++i) out[i] = base + i;
      out += 64;
      continue;
    }
    while (word != 0) {
      *out++ = base + std::countr_zero(word);
      word &= word - 1;
    }
  }
  rows->resize(static_cast<size_t>(out - rows->data()));
}

void TruthColumn::AppendTrueRows(std::vector<int32_t>* rows) const {
  AppendSetRows(is_true_, num_rows_, rows);
}

std::vector<int32_t> TruthColumn::RowsNotFalse() const {
  TruthColumn inverse = *this;
  for (uint64_t& word : inverse.is_false_) word = ~word;
  inverse.ClearTail();
  std::vector<int32_t> rows;
  AppendSetRows(inverse.is_false_, num_rows_, &rows);
  return rows;
}

std::vector<int32_t> TruthColumn::RowsNotTrue() const {
  TruthColumn inverse = *this;
  for (uint64_t& word : inverse.is_true_) word = ~word;
  inverse.ClearTail();
  std::vector<int32_t> rows;
  AppendSetRows(inverse.is_true_, num_rows_, &rows);
  return rows;
}

absl::StatusOr<std::shared_ptr<arrow::Array>> TruthColumn::ToArray() const {
  MR_ASSIGN_OR_RETURN(auto values, AllocateBits(num_rows_));
  Validity validity;
  int64_t num_valid = 0;
  for (size_t i = 0; i < is_true_.size(); ++i)
    num_valid += std::popcount(is_true_[i] | is_false_[i]);
  validity.num_nulls = num_rows_ - num_valid;
  if (!is_true_.empty()) std::memcpy(values->mutable_data(), is_true_.data(), is_true_.size() * 8);
  if (validity.num_nulls > 0) {
    MR_ASSIGN_OR_RETURN(validity.bits, AllocateBits(num_rows_));
    auto* words = reinterpret_cast<uint64_t*>(validity.bits->mutable_data());
    for (size_t i = 0; i < is_true_.size(); ++i) words[i] = is_true_[i] | is_false_[i];
  }
  return MakeFixedArray(SqlType::Of(TypeId::kBoolean), num_rows_, validity, std::move(values));
}

absl::StatusOr<std::shared_ptr<arrow::Array>> BitsToArray(const std::vector<uint64_t>& words,
                                                          int64_t num_rows) {
  MR_ASSIGN_OR_RETURN(auto values, AllocateBits(num_rows));
  if (!words.empty()) std::memcpy(values->mutable_data(), words.data(), words.size() * 8);
  return MakeFixedArray(SqlType::Of(TypeId::kBoolean), num_rows, Validity(), std::move(values));
}

}  // namespace millrace
