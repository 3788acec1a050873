#include "worker/operators/streaming/stored_accumulator.h"

#include <cstring>

#include "arrow/array.h"
#include "common/base/status.h"
#include "common/plan/partial_columns.h"
#include "worker/operators/plan_fields.h"
#include "worker/operators/streaming/over_function.h"

namespace millrace {

absl::StatusOr<StoredAccumulator> StoredAccumulator::Create(const OverCallPlan& call) {
  if (!SupportsPartial(*call.aggregate)) {
    return WithHint(NotSupported("an aggregate that keeps all values, over a frame from UNBOUNDED "
                                 "PRECEDING of unbounded input,"),
                    "let the frame begin at a distance");
  }
  MR_ASSIGN_OR_RETURN(auto accumulator, MakeAccumulator(SpecOf(call)));
  return StoredAccumulator(std::move(accumulator), PartialColumns(*call.aggregate, call.arg_types));
}

absl::Status StoredAccumulator::AppendState(absl::Span<const uint32_t> keys,
                                            std::vector<std::string>* values) const {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(accumulator_->Partial(keys, &columns));
  const std::vector<int> positions = FirstColumns(static_cast<int>(columns.size()));
  EncodedRows rows;
  codec_.Encode(Batch(std::move(columns), static_cast<int64_t>(keys.size())), positions, &rows);
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string_view row = rows.row(static_cast<int64_t>(i));
    const auto length = static_cast<uint32_t>(row.size());
    (*values)[i].append(reinterpret_cast<const char*>(&length), sizeof(length));
    (*values)[i].append(row);
  }
  return absl::OkStatus();
}

absl::Status StoredAccumulator::RestoreState(absl::Span<const uint32_t> keys,
                                             std::vector<std::string_view>* values) {
  std::vector<std::string_view> rows;
  for (std::string_view& value : *values) {
    uint32_t length = 0;
    if (value.size() < sizeof(length)) return CorruptOverState();
    std::memcpy(&length, value.data(), sizeof(length));
    value.remove_prefix(sizeof(length));
    if (value.size() < length) return CorruptOverState();
    rows.push_back(value.substr(0, length));
    value.remove_prefix(length);
  }
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(codec_.Decode(rows, &columns));
  std::vector<ColumnView> views;
  for (const auto& column : columns) views.emplace_back(*column);
  AccumulatorRows merged;
  merged.num_rows = static_cast<int64_t>(rows.size());
  merged.groups = keys.data();
  return accumulator_->Merge(views, merged);
}

}  // namespace millrace
