#include "worker/runtime/batch_coalescer.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/check.h"
#include "common/types/arrow_status.h"

namespace millrace {
namespace {

bool IsDictionary(const arrow::Array& array) { return array.type_id() == arrow::Type::DICTIONARY; }

absl::StatusOr<std::shared_ptr<arrow::Array>> DecodeDictionary(
    const std::shared_ptr<arrow::Array>& array) {
  if (!IsDictionary(*array)) return array;
  const auto& encoded = static_cast<const arrow::DictionaryArray&>(*array);
  const auto& codes = static_cast<const arrow::Int32Array&>(*encoded.indices());
  const auto& entries = static_cast<const arrow::StringArray&>(*encoded.dictionary());
  int64_t num_bytes = 0;
  for (int64_t i = 0; i < codes.length(); ++i) {
    if (!codes.IsNull(i)) num_bytes += entries.value_length(codes.Value(i));
  }
  arrow::StringBuilder builder;
  MR_RETURN_IF_ARROW_ERROR(builder.Reserve(codes.length()));
  MR_RETURN_IF_ARROW_ERROR(builder.ReserveData(num_bytes));
  for (int64_t i = 0; i < codes.length(); ++i) {
    if (codes.IsNull(i) || entries.IsNull(codes.Value(i))) {
      builder.UnsafeAppendNull();
    } else {
      builder.UnsafeAppend(entries.GetView(codes.Value(i)));
    }
  }
  std::shared_ptr<arrow::Array> plain;
  MR_RETURN_IF_ARROW_ERROR(builder.Finish(&plain));
  return plain;
}

// Arrays of one column that Concatenate takes: all of one type.
absl::StatusOr<std::shared_ptr<arrow::Array>> ConcatenateColumn(const std::vector<Batch>& batches,
                                                                int column) {
  arrow::ArrayVector parts;
  parts.reserve(batches.size());
  for (const Batch& batch : batches) parts.push_back(batch.column(column));
  const bool mixed = std::any_of(parts.begin(), parts.end(), [&](const auto& part) {
    return IsDictionary(*part) != IsDictionary(*parts[0]);
  });
  if (mixed) {
    for (auto& part : parts) {
      MR_ASSIGN_OR_RETURN(part, DecodeDictionary(part));
    }
  }
  return FromArrow(arrow::Concatenate(parts));
}

std::shared_ptr<arrow::Int64Array> ConcatenateWeights(const std::vector<Batch>& batches,
                                                      int64_t num_rows) {
  std::vector<int64_t> weights;
  weights.reserve(static_cast<size_t>(num_rows));
  for (const Batch& batch : batches) {
    if (const int64_t* raw = batch.raw_weights(); raw != nullptr) {
      weights.insert(weights.end(), raw, raw + batch.num_rows());
    } else {
      weights.insert(weights.end(), static_cast<size_t>(batch.num_rows()), 1);
    }
  }
  return std::make_shared<arrow::Int64Array>(num_rows,
                                             arrow::Buffer::FromVector(std::move(weights)));
}

}  // namespace

absl::StatusOr<Batch> ConcatenateBatches(const std::vector<Batch>& batches) {
  MR_CHECK(!batches.empty());
  if (batches.size() == 1) return batches[0];
  int64_t num_rows = 0;
  bool weighted = false;
  for (const Batch& batch : batches) {
    num_rows += batch.num_rows();
    weighted = weighted || batch.weights() != nullptr;
  }
  std::vector<std::shared_ptr<arrow::Array>> columns;
  columns.reserve(static_cast<size_t>(batches[0].num_columns()));
  for (int i = 0; i < batches[0].num_columns(); ++i) {
    MR_ASSIGN_OR_RETURN(auto column, ConcatenateColumn(batches, i));
    columns.push_back(std::move(column));
  }
  return Batch(std::move(columns), num_rows,
               weighted ? ConcatenateWeights(batches, num_rows) : nullptr);
}

absl::StatusOr<Batch> DecodeDictionaries(const Batch& batch) {
  const auto& columns = batch.columns();
  if (std::none_of(columns.begin(), columns.end(),
                   [](const auto& c) { return IsDictionary(*c); })) {
    return batch;
  }
  std::vector<std::shared_ptr<arrow::Array>> plain;
  plain.reserve(columns.size());
  for (const auto& column : columns) {
    MR_ASSIGN_OR_RETURN(auto decoded, DecodeDictionary(column));
    plain.push_back(std::move(decoded));
  }
  return batch.WithColumns(std::move(plain));
}

absl::StatusOr<std::optional<Batch>> BatchCoalescer::Add(Batch batch) {
  if (batch.num_rows() == 0) return std::nullopt;
  const bool alone = pending_.empty();
  if (alone && batch.num_rows() * 2 >= rows_target_) return batch;
  const int64_t bytes = batch.ByteSize();
  if (alone && bytes * 2 >= bytes_target_) return batch;
  pending_rows_ += batch.num_rows();
  pending_bytes_ += bytes;
  pending_.push_back(std::move(batch));
  if (pending_rows_ < rows_target_ && pending_bytes_ < bytes_target_) return std::nullopt;
  return Flush();
}

absl::StatusOr<std::optional<Batch>> BatchCoalescer::Flush() {
  if (pending_.empty()) return std::nullopt;
  const std::vector<Batch> batches = std::exchange(pending_, {});
  pending_rows_ = 0;
  pending_bytes_ = 0;
  MR_ASSIGN_OR_RETURN(Batch all, ConcatenateBatches(batches));
  return all;
}

}  // namespace millrace
