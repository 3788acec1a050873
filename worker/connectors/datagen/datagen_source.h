#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/connector_spec/datagen_options.h"
#include "worker/connectors/datagen/column_generator.h"
#include "worker/connectors/source.h"

namespace millrace {

// Makes rows instead of reading them: ranges of one sequence that seed and options fix.
class DatagenSource final : public Source {
 public:
  // `projection`: positions in `columns` of the output's columns.
  static absl::StatusOr<std::unique_ptr<Source>> Create(const DatagenOptions& options,
                                                        const Schema& columns,
                                                        const std::vector<int>& projection);

  absl::Status Open(const v1::Split& split) override;
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override;
  v1::SplitPosition Position() const override;
  absl::Status Close() override;

 private:
  explicit DatagenSource(std::vector<ColumnGenerator> generators)
      : generators_(std::move(generators)) {}

  const std::vector<ColumnGenerator> generators_;
  uint64_t split_id_ = 0;
  uint64_t begin_row_ = 0;
  uint64_t next_row_ = 0;
  uint64_t end_row_ = 0;
};

}  // namespace millrace
