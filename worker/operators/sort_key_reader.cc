#include "worker/operators/sort_key_reader.h"

#include "arrow/array.h"
#include "common/base/status.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<SortKeyReader>> SortKeyReader::Create(
    std::vector<int> leading, const std::vector<SortKey>& keys, const Schema& input,
    const EvalContext& context) {
  std::vector<SortDirection> directions(leading.size());
  std::vector<ExprPtr> exprs;
  for (const SortKey& key : keys) {
    directions.push_back({key.descending, key.nulls_first});
    exprs.push_back(key.expr);
  }
  std::unique_ptr<SortKeyReader> reader(
      new SortKeyReader(std::move(leading), std::move(directions)));
  if (exprs.empty()) return reader;
  MR_ASSIGN_OR_RETURN(reader->evaluator_, Evaluator::Create(std::move(exprs), input, context));
  return reader;
}

absl::Status SortKeyReader::Read(const Batch& batch) {
  columns_.clear();
  for (const int column : leading_) columns_.push_back(batch.column(column));
  if (evaluator_ != nullptr) {
    MR_ASSIGN_OR_RETURN(auto values, evaluator_->Evaluate(batch));
    columns_.insert(columns_.end(), values.begin(), values.end());
  }
  std::vector<ColumnView> views;
  views.reserve(columns_.size());
  for (const auto& column : columns_) views.emplace_back(*column);
  if (views.empty()) {
    // No keys at all: all rows are equal.
    encoded_.bytes.Clear();
    encoded_.offsets.Clear();
    encoded_.offsets.Resize(batch.num_rows() + 1, 0);
    split_.Clear();
    split_.Resize(batch.num_rows(), 0);
    return absl::OkStatus();
  }
  encoder_.Encode(views, &encoded_, leading_.size(), &split_);
  return absl::OkStatus();
}

}  // namespace millrace
