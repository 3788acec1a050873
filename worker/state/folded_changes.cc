#include "worker/state/folded_changes.h"

namespace millrace {

FoldedChanges::FoldedChanges(const ViewColumns& columns, int64_t rows_expected) {
  if (columns.key.empty()) {
    by_row_.emplace(columns.types);
    if (rows_expected > 0) by_row_->Reserve(rows_expected);
  } else {
    by_key_.emplace(columns.types, columns.key);
    if (rows_expected > 0) by_key_->Reserve(rows_expected);
  }
}

void FoldedChanges::Add(absl::Span<const Batch> changes) {
  if (by_key_.has_value()) {
    by_key_->Apply(changes);
  } else {
    for (const Batch& batch : changes) by_row_->Add(batch);
  }
}

std::vector<Batch> FoldedChanges::Changes() const {
  return by_key_.has_value() ? by_key_->Changes() : by_row_->WeightedRows();
}

std::vector<Batch> FoldedChanges::Rows() const {
  return by_key_.has_value() ? by_key_->Rows() : by_row_->WeightedRows();
}

std::vector<Batch> FoldedChanges::ExpandedRows() const {
  return by_key_.has_value() ? by_key_->Rows() : by_row_->ExpandedRows();
}

int64_t FoldedChanges::bytes() const {
  return by_key_.has_value() ? by_key_->bytes() : by_row_->bytes();
}

}  // namespace millrace
