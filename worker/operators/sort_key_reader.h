#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/expr/evaluator.h"
#include "common/expr/expr.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/sort_keys.h"

namespace millrace {

// Computes the keys of an ordering for batches, and their encoding.
class SortKeyReader {
 public:
  // `leading`: columns that come first in the order, ascending (partition keys).
  static absl::StatusOr<std::unique_ptr<SortKeyReader>> Create(std::vector<int> leading,
                                                               const std::vector<SortKey>& keys,
                                                               const Schema& input,
                                                               const EvalContext& context);

  // Encodes the keys of all rows. The result lives until the next call.
  absl::Status Read(const Batch& batch);
  const EncodedRows& keys() const { return encoded_; }
  // For each row the length of the leading keys.
  const FlatVector<uint32_t>& split() const { return split_; }
  // The values of order key i (not counting the leading columns), after Read.
  const std::shared_ptr<arrow::Array>& key_column(int i) const {
    return columns_[leading_.size() + i];
  }

 private:
  SortKeyReader(std::vector<int> leading, std::vector<SortDirection> directions)
      : leading_(std::move(leading)), encoder_(std::move(directions)) {}

  const std::vector<int> leading_;
  // Null if there are no order keys.
  std::unique_ptr<Evaluator> evaluator_;
  SortKeyEncoder encoder_;
  std::vector<std::shared_ptr<arrow::Array>> columns_;
  EncodedRows encoded_;
  FlatVector<uint32_t> split_;
};

}  // namespace millrace
