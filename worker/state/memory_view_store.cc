#include "worker/state/memory_view_store.h"

#include <arrow/array.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "worker/memory/memory_budget.h"
#include "worker/state/folded_changes.h"
#include "worker/state/row_multiset.h"

namespace millrace {
namespace {

int64_t CountRows(const std::vector<Batch>& batches) {
  int64_t rows = 0;
  for (const Batch& batch : batches) rows += batch.num_rows();
  return rows;
}

int64_t CountBytes(const std::vector<Batch>& batches) {
  int64_t bytes = 0;
  for (const Batch& batch : batches) bytes += batch.ByteSize();
  return bytes;
}

// True if every row is there exactly once more: then reading needs no consolidation.
bool OnlyAddsOnce(const std::vector<Batch>& batches) {
  return std::all_of(batches.begin(), batches.end(), [](const Batch& batch) {
    const int64_t* weights = batch.raw_weights();
    if (weights == nullptr) return true;
    return std::all_of(weights, weights + batch.num_rows(), [](int64_t w) { return w == 1; });
  });
}

// The reader was planned for an attempt of the view's job that has ended meanwhile, or has just
// begun: planned again, it reads the one that is there.
absl::Status NotReadable(const ViewPart& part, absl::string_view why) {
  return MakeError(
      ErrorDetail{SqlState::kObjectNotInPrerequisiteState, 0, "", Blame::kExternal, Retry::kSafe},
      absl::StrCat("view ", part.view.value(), " cannot be read here: ", why));
}

absl::Status NoSuchPart(const ViewPart& part) {
  return NotReadable(part, absl::StrCat("attempt ", part.attempt.value(), " of job ",
                                        part.job.value(), " has ended"));
}

struct Delta {
  Epoch epoch;
  std::vector<Batch> changes;
  int64_t num_rows = 0;
  int64_t bytes = 0;
  bool only_adds_once = true;
};

}  // namespace

struct MemoryViewStore::Part {
  Part(ViewColumns view_columns, MemoryBudget* views_memory)
      : columns(std::move(view_columns)), memory(views_memory) {}
  ~Part() {
    if (memory != nullptr) memory->Release(held);
  }

  const ViewColumns columns;
  // May be null.
  MemoryBudget* const memory;
  // Bytes of the base and the deltas, which are counted in `memory`. Set with the lock.
  std::atomic<int64_t> held = 0;

  Mutex mutex;
  // The base is still being read.
  bool loading ABSL_GUARDED_BY(mutex) = false;
  std::vector<Batch> base ABSL_GUARDED_BY(mutex);
  int64_t base_rows ABSL_GUARDED_BY(mutex) = 0;
  int64_t base_bytes ABSL_GUARDED_BY(mutex) = 0;
  bool base_only_adds_once ABSL_GUARDED_BY(mutex) = true;
  // Reads below this epoch are not possible any more.
  Epoch base_epoch ABSL_GUARDED_BY(mutex);
  Epoch newest_sealed ABSL_GUARDED_BY(mutex);
  // Deltas at or below it may be folded.
  Epoch foldable ABSL_GUARDED_BY(mutex);
  std::deque<Delta> deltas ABSL_GUARDED_BY(mutex);

  void CountBase() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    base_rows = CountRows(base);
    base_bytes = CountBytes(base);
  }

  // The part holds `change` bytes more; 53200 and nothing else if there is no room for them.
  absl::Status Hold(int64_t change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (memory != nullptr) MR_RETURN_IF_ERROR(memory->Reserve(change, "view"));
    held += change;
    return absl::OkStatus();
  }

  int64_t CountAll() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    int64_t bytes = base_bytes;
    for (const Delta& delta : deltas) bytes += delta.bytes;
    return bytes;
  }

  // Merges foldable deltas into the base once they have half its size. Returns the rows that were
  // touched.
  uint64_t Fold() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (loading) return 0;
    int64_t foldable_rows = 0;
    size_t num_foldable = 0;
    bool only_adds_once = base_only_adds_once;
    for (const Delta& delta : deltas) {
      if (delta.epoch > foldable) break;
      foldable_rows += delta.num_rows;
      only_adds_once = only_adds_once && delta.only_adds_once;
      ++num_foldable;
    }
    // Many small deltas cost readers time even when their rows are few.
    constexpr size_t kMaxDeltas = 64;
    const bool worth_it = foldable_rows * 2 >= base_rows || num_foldable > kMaxDeltas;
    if (num_foldable == 0 || !worth_it) return 0;
    uint64_t touched = static_cast<uint64_t>(foldable_rows);
    if (only_adds_once) {
      for (size_t i = 0; i < num_foldable; ++i) {
        for (Batch& batch : deltas[i].changes) base.push_back(batch.WithWeights(nullptr));
      }
    } else if (foldable_rows * 2 < base_rows) {
      // Too little for a new base: one delta out of many.
      FoldedChanges rows(columns, foldable_rows / 2);
      for (size_t i = 0; i < num_foldable; ++i) rows.Add(deltas[i].changes);
      Delta merged;
      merged.epoch = deltas[num_foldable - 1].epoch;
      merged.changes = rows.Changes();
      merged.num_rows = CountRows(merged.changes);
      merged.bytes = CountBytes(merged.changes);
      // With a key, a row that is added may replace another one.
      merged.only_adds_once = columns.key.empty() && OnlyAddsOnce(merged.changes);
      base_epoch = merged.epoch;
      deltas.erase(deltas.begin(), deltas.begin() + static_cast<int64_t>(num_foldable));
      deltas.push_front(std::move(merged));
      return touched;
    } else {
      // An update is two changes, one of which is in the base.
      FoldedChanges rows(columns, base_rows + foldable_rows / 2);
      rows.Add(base);
      for (size_t i = 0; i < num_foldable; ++i) rows.Add(deltas[i].changes);
      touched += static_cast<uint64_t>(base_rows);
      base = rows.Rows();
      base_only_adds_once = OnlyAddsOnce(base);
    }
    base_epoch = deltas[num_foldable - 1].epoch;
    CountBase();
    deltas.erase(deltas.begin(), deltas.begin() + static_cast<int64_t>(num_foldable));
    return touched;
  }
};

MemoryViewStore::MemoryViewStore(MemoryBudget* memory) : memory_(memory) {}
MemoryViewStore::~MemoryViewStore() = default;

std::shared_ptr<MemoryViewStore::Part> MemoryViewStore::Find(const ViewPart& part) const {
  MutexLock lock(mutex_);
  const auto it = parts_.find(part);
  return it == parts_.end() ? nullptr : it->second;
}

absl::Status MemoryViewStore::Open(const ViewPart& part, ViewColumns columns, Epoch base_epoch) {
  return Add(part, std::move(columns), base_epoch, /*loading=*/false);
}

absl::Status MemoryViewStore::OpenLoading(const ViewPart& part, ViewColumns columns,
                                          Epoch base_epoch) {
  return Add(part, std::move(columns), base_epoch, /*loading=*/true);
}

absl::Status MemoryViewStore::Add(const ViewPart& part, ViewColumns columns, Epoch base_epoch,
                                  bool loading) {
  auto opened = std::make_shared<Part>(std::move(columns), memory_);
  {
    MutexLock lock(opened->mutex);
    opened->loading = loading;
    opened->base_epoch = base_epoch;
    opened->newest_sealed = base_epoch;
  }
  MutexLock lock(mutex_);
  if (!parts_.emplace(part, std::move(opened)).second) {
    return InternalError("a part of a view was opened twice in one attempt");
  }
  return absl::OkStatus();
}

absl::Status MemoryViewStore::FinishLoading(const ViewPart& part, std::vector<Batch> rows) {
  const std::shared_ptr<Part> found = Find(part);
  if (found == nullptr) return InternalError("a part of a view was loaded after it was dropped");
  const bool only_adds_once = OnlyAddsOnce(rows);
  if (only_adds_once) {
    // Then the weights say nothing: the rows must not need more than they did before the restore.
    for (Batch& batch : rows) batch = batch.WithWeights(nullptr);
  }
  MutexLock lock(found->mutex);
  MR_CHECK(found->loading);
  MR_RETURN_IF_ERROR(found->Hold(CountBytes(rows)));
  found->base = std::move(rows);
  found->base_only_adds_once = only_adds_once;
  found->CountBase();
  found->loading = false;
  return absl::OkStatus();
}

bool MemoryViewStore::is_loaded(const ViewPart& part) const {
  const std::shared_ptr<Part> found = Find(part);
  if (found == nullptr) return true;
  MutexLock lock(found->mutex);
  return !found->loading;
}

int64_t MemoryViewStore::bytes(const ViewPart& part) const {
  const std::shared_ptr<Part> found = Find(part);
  return found == nullptr ? 0 : found->held.load();
}

std::map<std::pair<JobId, AttemptId>, int64_t> MemoryViewStore::BytesByAttempt() const {
  std::map<std::pair<JobId, AttemptId>, int64_t> bytes;
  MutexLock lock(mutex_);
  for (const auto& [part, state] : parts_) bytes[{part.job, part.attempt}] += state->held;
  return bytes;
}

absl::Status MemoryViewStore::Seal(const ViewPart& part, Epoch epoch, std::vector<Batch> changes) {
  const std::shared_ptr<Part> found = Find(part);
  if (found == nullptr) return InternalError("a part of a view was sealed before it was opened");
  Delta delta;
  delta.epoch = epoch;
  delta.num_rows = CountRows(changes);
  delta.bytes = CountBytes(changes);
  delta.only_adds_once = OnlyAddsOnce(changes);
  delta.changes = std::move(changes);
  uint64_t folded = 0;
  {
    MutexLock lock(found->mutex);
    if (epoch <= found->newest_sealed) {
      return InternalError(absl::StrCat("epoch ", epoch.value(), " of a view was sealed twice"));
    }
    MR_RETURN_IF_ERROR(found->Hold(delta.bytes));
    found->newest_sealed = epoch;
    if (delta.num_rows > 0) found->deltas.push_back(std::move(delta));
    // Here, on the task's thread, because its cost belongs to the changes.
    folded = found->Fold();
    MR_RETURN_IF_ERROR(found->Hold(found->CountAll() - found->held));
  }
  MutexLock lock(mutex_);
  folded_rows_ += folded;
  return absl::OkStatus();
}

void MemoryViewStore::Publish(JobId job, AttemptId attempt, Epoch, Epoch oldest_readable) {
  MutexLock lock(mutex_);
  for (const auto& [part, state] : parts_) {
    if (part.job != job || part.attempt != attempt) continue;
    MutexLock part_lock(state->mutex);
    state->foldable = std::max(state->foldable, oldest_readable);
  }
}

absl::StatusOr<std::vector<Batch>> MemoryViewStore::Read(const ViewPart& part, Epoch epoch) {
  return ReadRows(part, epoch, &FoldedChanges::ExpandedRows);
}

absl::StatusOr<std::vector<Batch>> MemoryViewStore::ReadRows(
    const ViewPart& part, Epoch epoch, std::vector<Batch> (FoldedChanges::*rows_of)() const) {
  const std::shared_ptr<Part> found = Find(part);
  if (found == nullptr) return NoSuchPart(part);
  // The base, then the changes of each epoch.
  std::vector<std::vector<Batch>> epochs;
  int64_t num_rows = 0;
  bool only_adds_once = true;
  {
    MutexLock lock(found->mutex);
    if (found->loading) return NotReadable(part, "it is being loaded");
    if (epoch < found->base_epoch) {
      return MakeError(
          SqlState::kInvalidParameterValue,
          absl::StrCat("epoch ", epoch.value(), " is not kept any more"),
          absl::StrCat("the oldest one that can be read is ", found->base_epoch.value()));
    }
    epochs.push_back(found->base);
    num_rows = found->base_rows;
    only_adds_once = found->base_only_adds_once;
    for (const Delta& delta : found->deltas) {
      if (delta.epoch > epoch) break;
      only_adds_once = only_adds_once && delta.only_adds_once;
      epochs.push_back(delta.changes);
      num_rows += delta.num_rows / 2;
    }
  }
  // The batches are immutable: the rest needs no lock.
  if (only_adds_once) {
    std::vector<Batch> batches;
    for (const std::vector<Batch>& changes : epochs) {
      for (const Batch& batch : changes) batches.push_back(batch.WithWeights(nullptr));
    }
    return batches;
  }
  FoldedChanges rows(found->columns, num_rows);
  for (const std::vector<Batch>& changes : epochs) rows.Add(changes);
  return (rows.*rows_of)();
}

absl::StatusOr<std::vector<Batch>> MemoryViewStore::ReadChanges(const ViewPart& part, Epoch after,
                                                                Epoch through) {
  if (after.value() == 0) return ReadRows(part, through, &FoldedChanges::Rows);
  const std::shared_ptr<Part> found = Find(part);
  if (found == nullptr) return NoSuchPart(part);
  std::vector<Batch> batches;
  size_t num_deltas = 0;
  {
    MutexLock lock(found->mutex);
    if (after < found->base_epoch) {
      return MakeError(
          SqlState::kInvalidParameterValue,
          absl::StrCat("changes behind epoch ", after.value(), " are not kept any more"));
    }
    for (const Delta& delta : found->deltas) {
      if (delta.epoch > through) break;
      if (delta.epoch <= after) continue;
      batches.insert(batches.end(), delta.changes.begin(), delta.changes.end());
      ++num_deltas;
    }
  }
  // The batches are immutable: the rest needs no lock. What only adds rows needs no adding up, and
  // one delta was added up when it was sealed. By the whole row, also with a key: readers want to
  // know what was taken back.
  if (num_deltas <= 1 || OnlyAddsOnce(batches)) return batches;
  RowMultiset rows(found->columns.types);
  for (const Batch& batch : batches) rows.Add(batch);
  return rows.WeightedRows();
}

void MemoryViewStore::Drop(JobId job, AttemptId attempt) {
  MutexLock lock(mutex_);
  std::erase_if(parts_, [&](const auto& entry) {
    return entry.first.job == job && entry.first.attempt == attempt;
  });
}

uint64_t MemoryViewStore::folded_rows() const {
  MutexLock lock(mutex_);
  return folded_rows_;
}

}  // namespace millrace
