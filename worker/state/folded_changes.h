#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "common/types/batch.h"
#include "worker/state/row_multiset.h"
#include "worker/state/rows_by_key.h"
#include "worker/state/view_store.h"

namespace millrace {

// The changes of several epochs of a view as one: by its key if it has one, else by the whole row.
// Not thread-safe.
class FoldedChanges {
 public:
  // `rows_expected`: distinct rows, about; 0 if nothing is known.
  explicit FoldedChanges(const ViewColumns& columns, int64_t rows_expected = 0);

  // The changes of the next epoch, consolidated.
  void Add(absl::Span<const Batch> changes);

  // What they amount to. With a key: each key's row with weight +1, or a row that it had with −1;
  // that a row was replaced follows from the key. Else the rows with the sums of their weights.
  std::vector<Batch> Changes() const;
  // The rows that are there, when the first changes were all rows: each once, with its multiplicity
  // as weight (none: once each).
  std::vector<Batch> Rows() const;
  // The same, each row as often as it is there, without weights.
  std::vector<Batch> ExpandedRows() const;

  int64_t bytes() const;

 private:
  // One of the two.
  std::optional<RowsByKey> by_key_;
  std::optional<RowMultiset> by_row_;
};

}  // namespace millrace
