#include "worker/connectors/datagen/datagen_source.h"

#include <algorithm>
#include <utility>

#include "arrow/array.h"
#include "common/base/status.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Source>> DatagenSource::Create(const DatagenOptions& options,
                                                              const Schema& columns,
                                                              const std::vector<int>& projection) {
  std::vector<ColumnGenerator> generators;
  for (const int column : projection) {
    const auto i = static_cast<size_t>(column);
    if (i >= columns.size()) return InternalError("scan projects a missing column");
    generators.emplace_back(columns[i], options.columns[i], options.seed,
                            static_cast<uint32_t>(column));
  }
  return std::unique_ptr<Source>(new DatagenSource(std::move(generators)));
}

absl::Status DatagenSource::Open(const v1::Split& split) {
  if (!split.has_datagen()) return InternalError("a datagen scan got a split of another kind");
  split_id_ = split.id();
  begin_row_ = split.datagen().begin_row();
  end_row_ = split.datagen().end_row();
  next_row_ = begin_row_ + split.resume().offset();
  if (split.resume().ended()) next_row_ = end_row_;
  return absl::OkStatus();
}

absl::StatusOr<PollResult> DatagenSource::Poll(const PollBudget& budget, Batch* batch) {
  const auto num_rows = static_cast<int64_t>(
      std::min<uint64_t>(end_row_ - next_row_, static_cast<uint64_t>(budget.rows_max)));
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const ColumnGenerator& generator : generators_) {
    MR_ASSIGN_OR_RETURN(auto column, generator.Generate(next_row_, num_rows));
    columns.push_back(std::move(column));
  }
  *batch = Batch(std::move(columns), num_rows);
  next_row_ += static_cast<uint64_t>(num_rows);
  return next_row_ == end_row_ ? PollResult::kEnd : PollResult::kRows;
}

v1::SplitPosition DatagenSource::Position() const {
  v1::SplitPosition position;
  position.set_split_id(split_id_);
  position.set_offset(next_row_ - begin_row_);
  position.set_rows(next_row_ - begin_row_);
  position.set_ended(next_row_ == end_row_);
  return position;
}

absl::Status DatagenSource::Close() {
  next_row_ = end_row_;
  return absl::OkStatus();
}

}  // namespace millrace
