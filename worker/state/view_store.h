#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"

namespace millrace {

// Which part of a view: the rows that one task of its job keeps.
struct ViewPart {
  ObjectId view;
  JobId job;
  AttemptId attempt;
  uint32_t task_index = 0;
  friend auto operator<=>(const ViewPart&, const ViewPart&) = default;
};

// The columns of a view's rows.
struct ViewColumns {
  std::vector<SqlType> types;
  // The columns in which no two rows agree at the end of an epoch; empty if there are none such.
  std::vector<int> key;
};

// The rows of materialized views of this worker, by epoch: a base plus one sealed delta for each
// epoch. A reader at epoch E sees the base plus the deltas up to E, consolidated. Deltas that no
// reader can ask for any more are folded into the base; folding is put off until the deltas are as
// large as half the base, so its cost stays proportional to the changes. Thread-safe.
class ViewStore {
 public:
  virtual ~ViewStore() = default;

  // Registers an empty part.
  virtual absl::Status Open(const ViewPart& part, ViewColumns columns, Epoch base_epoch) = 0;
  // The same for a part that had rows at `base_epoch`: epochs are sealed over them meanwhile, and
  // it can be read once FinishLoading has brought them (weights are multiplicities). 53200 if the
  // worker has no memory left for them; then it is never loaded.
  virtual absl::Status OpenLoading(const ViewPart& part, ViewColumns columns, Epoch base_epoch) = 0;
  virtual absl::Status FinishLoading(const ViewPart& part, std::vector<Batch> rows) = 0;
  // False: its rows at the restore are still being read.
  virtual bool is_loaded(const ViewPart& part) const = 0;
  // What the part holds, base and deltas. It counts against the worker's memory until the part is
  // dropped, also when its task has ended.
  virtual int64_t bytes(const ViewPart& part) const = 0;
  // The same for all parts of each attempt that has any. Waits for nobody's work.
  virtual std::map<std::pair<JobId, AttemptId>, int64_t> BytesByAttempt() const = 0;
  // Adds the changes (with weights) of a whole epoch and seals it; empty is fine. Epochs come in
  // increasing order. 53200 if the worker has no memory left for them; only Drop may follow.
  virtual absl::Status Seal(const ViewPart& part, Epoch epoch, std::vector<Batch> changes) = 0;
  // The coordinator published `newest`; epochs below `oldest_readable` will not be asked for again.
  virtual void Publish(JobId job, AttemptId attempt, Epoch newest, Epoch oldest_readable) = 0;
  // The rows at the newest sealed epoch that is not above `epoch`, each as often as its
  // multiplicity, without weights. 22023 if that epoch is not kept any more, 55000 if there is no
  // such part here, or while it is being loaded.
  virtual absl::StatusOr<std::vector<Batch>> Read(const ViewPart& part, Epoch epoch) = 0;
  // What has changed in the epochs (after, through]: rows with weights, those of several epochs
  // added up. With `after` 0 all rows at `through` are changes. 22023 if changes behind `after` are
  // no longer kept apart, 55000 if there is no such part here.
  virtual absl::StatusOr<std::vector<Batch>> ReadChanges(const ViewPart& part, Epoch after,
                                                         Epoch through) = 0;
  // Forgets all parts of an attempt (job cancelled, dropped, or restarted).
  virtual void Drop(JobId job, AttemptId attempt) = 0;
};

}  // namespace millrace
