#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/connectors/source.h"
#include "worker/state/view_store.h"

namespace millrace {

// Reads one part of a materialized view at the epoch that the split names. Positions count rows;
// the order of the rows of an epoch is stable only within one Open, so a split is never resumed in
// the middle. A view that is still being loaded after a restart is waited for.
class ViewSource final : public Source {
 public:
  // `projection`: columns of the view to give out, in that order.
  ViewSource(ViewStore& views, std::vector<int> projection);
  ~ViewSource() override;

  absl::Status Open(const v1::Split& split) override;
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override;
  v1::SplitPosition Position() const override;
  absl::Status Close() override;

 private:
  absl::Status ReadIfLoaded();

  ViewStore& views_;
  const std::vector<int> projection_;
  ViewPart part_;
  Epoch epoch_;
  bool is_read_ = false;
  std::vector<Batch> batches_;
  size_t next_batch_ = 0;
  int64_t next_row_ = 0;
  uint64_t split_id_ = 0;
  uint64_t rows_read_ = 0;
};

}  // namespace millrace
