#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/catalog/catalog_snapshot.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

// A piece of a stored table's log: what was committed from a position on.
struct TableLogSlice {
  // While it lives, the files of the splits stay.
  std::shared_ptr<const CatalogSnapshot> pin;
  std::vector<v1::Split> splits;
  uint64_t rows = 0;
  // Where the next piece begins.
  uint64_t end_position = 0;
};

// The log of a table from `from_position` on, as the snapshot has it; nothing for a table that is
// gone. 55000 if the position lies within a segment: what a reader has there and what it lacks were
// joined since, and nobody can tell them apart.
absl::StatusOr<TableLogSlice> ReadTableLog(std::shared_ptr<const CatalogSnapshot> catalog,
                                           const std::string& data_dir, uint64_t object_id,
                                           uint64_t from_position);

// ReadTableLog of the catalog as it is now.
using TableLogReader =
    std::function<absl::StatusOr<TableLogSlice>(uint64_t object_id, uint64_t from_position)>;

}  // namespace millrace
