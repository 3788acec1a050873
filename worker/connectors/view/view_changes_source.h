#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/connectors/source.h"
#include "worker/state/view_store.h"

namespace millrace {

// Reads what has changed in one part of a materialized view between two epochs. Columns: the later
// epoch (bigint), the weight (bigint), then those of the view. Positions count rows; as with
// ViewSource a split is never resumed in the middle.
class ViewChangesSource final : public Source {
 public:
  explicit ViewChangesSource(ViewStore& views) : views_(views) {}

  absl::Status Open(const v1::Split& split) override;
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override;
  v1::SplitPosition Position() const override;
  absl::Status Close() override;

 private:
  absl::Status ReadIfLoaded();

  ViewStore& views_;
  ViewPart part_;
  bool is_read_ = false;
  std::vector<Batch> batches_;
  size_t next_batch_ = 0;
  int64_t next_row_ = 0;
  uint64_t after_epoch_ = 0;
  uint64_t through_epoch_ = 0;
  uint64_t split_id_ = 0;
  uint64_t rows_read_ = 0;
};

}  // namespace millrace
