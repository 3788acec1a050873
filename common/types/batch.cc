#include "common/types/batch.h"

#include "arrow/array.h"
#include "arrow/util/byte_size.h"

namespace millrace {

const int64_t* Batch::raw_weights() const {
  return weights_ == nullptr ? nullptr : weights_->raw_values();
}

Batch Batch::Slice(int64_t offset, int64_t length) const {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  columns.reserve(columns_.size());
  for (const auto& column : columns_) columns.push_back(column->Slice(offset, length));
  std::shared_ptr<arrow::Int64Array> weights;
  if (weights_ != nullptr) {
    weights = std::static_pointer_cast<arrow::Int64Array>(weights_->Slice(offset, length));
  }
  return Batch(std::move(columns), length, std::move(weights));
}

int64_t Batch::ByteSize() const {
  int64_t bytes = weights_ == nullptr ? 0 : num_rows_ * int64_t{8};
  for (const auto& column : columns_) {
    auto size = arrow::util::ReferencedBufferSize(*column);
    // Types without a fixed layout do not occur in a Batch, so a failure means zero-length data.
    if (size.ok()) bytes += *size;
  }
  return bytes;
}

}  // namespace millrace
