#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "worker/state/view_store.h"

namespace millrace {

class FoldedChanges;
class MemoryBudget;

// The view store of a worker: base and deltas in memory, as Arrow batches. What survives a restart
// is what the view sink has written to the state store at a checkpoint.
class MemoryViewStore final : public ViewStore {
 public:
  // `memory`: of all views of the worker; outlives the store. Null: no limit.
  explicit MemoryViewStore(MemoryBudget* memory = nullptr);
  ~MemoryViewStore() override;

  absl::Status Open(const ViewPart& part, ViewColumns columns, Epoch base_epoch) override;
  absl::Status OpenLoading(const ViewPart& part, ViewColumns columns, Epoch base_epoch) override;
  absl::Status FinishLoading(const ViewPart& part, std::vector<Batch> rows) override;
  bool is_loaded(const ViewPart& part) const override;
  int64_t bytes(const ViewPart& part) const override;
  std::map<std::pair<JobId, AttemptId>, int64_t> BytesByAttempt() const override;
  absl::Status Seal(const ViewPart& part, Epoch epoch, std::vector<Batch> changes) override;
  void Publish(JobId job, AttemptId attempt, Epoch newest, Epoch oldest_readable) override;
  absl::StatusOr<std::vector<Batch>> Read(const ViewPart& part, Epoch epoch) override;
  absl::StatusOr<std::vector<Batch>> ReadChanges(const ViewPart& part, Epoch after,
                                                 Epoch through) override;
  void Drop(JobId job, AttemptId attempt) override;

  // Rows that folding has touched so far, over all parts; tests assert that it stays proportional
  // to the changes.
  uint64_t folded_rows() const;

 private:
  struct Part;

  MemoryBudget* const memory_;

  mutable Mutex mutex_;
  // A part is changed only under its own lock (its task seals, readers copy references).
  std::map<ViewPart, std::shared_ptr<Part>> parts_ ABSL_GUARDED_BY(mutex_);
  uint64_t folded_rows_ ABSL_GUARDED_BY(mutex_) = 0;

  absl::Status Add(const ViewPart& part, ViewColumns columns, Epoch base_epoch, bool loading);
  std::shared_ptr<Part> Find(const ViewPart& part) const;
  // The rows at an epoch, in the form that a function of FoldedChanges gives.
  absl::StatusOr<std::vector<Batch>> ReadRows(const ViewPart& part, Epoch epoch,
                                              std::vector<Batch> (FoldedChanges::*rows_of)() const);
};

}  // namespace millrace
