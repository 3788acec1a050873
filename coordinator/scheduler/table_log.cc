#include "coordinator/scheduler/table_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/file_format/split_enumeration.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

absl::StatusOr<TableLogSlice> ReadTableLog(std::shared_ptr<const CatalogSnapshot> catalog,
                                           const std::string& data_dir, uint64_t object_id,
                                           uint64_t from_position) {
  TableLogSlice slice;
  slice.end_position = from_position;
  const CatalogObjectPtr table = catalog->FindById(object_id);
  if (table == nullptr || table->state() != v1::OBJECT_STATE_READY) return slice;
  for (const v1::TableSegment& segment : table->table_version().segments()) {
    if (segment.end_position() <= from_position) continue;
    if (segment.begin_position() < from_position) {
      return MakeError(
          SqlState::kObjectNotInPrerequisiteState,
          absl::StrCat("the log of table ", table->name(), " cannot be read from position ",
                       from_position, " on: the rows of positions ", segment.begin_position(),
                       " to ", segment.end_position(), " are one segment now"),
          "restart the job from a newer checkpoint, or drop it and create it again");
    }
    slice.rows += segment.rows();
    slice.end_position = std::max(slice.end_position, segment.end_position());
  }
  slice.splits = MakeTableSplits(data_dir, table->table_version(), from_position);
  slice.pin = std::move(catalog);
  return slice;
}

}  // namespace millrace
