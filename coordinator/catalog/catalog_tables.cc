#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "coordinator/catalog/catalog.h"
#include "coordinator/catalog/drop_plan.h"
#include "millrace/v1/catalog.pb.h"

// The versions of stored tables.

namespace millrace {

// One call of AppendSegments that waits for its transaction.
struct Catalog::Append {
  uint64_t object_id = 0;
  const std::vector<v1::TableSegment>* segments = nullptr;
  const Extra* also = nullptr;
  absl::Status status;
  bool done = false;
};

uint64_t EndPosition(const v1::TableVersion& version) {
  if (version.segments().empty()) return 0;
  return version.segments(version.segments_size() - 1).end_position();
}

void AddSegments(const std::vector<v1::TableSegment>& segments, v1::TableVersion* version) {
  uint64_t position = EndPosition(*version);
  for (const v1::TableSegment& segment : segments) {
    v1::TableSegment* added = version->add_segments();
    *added = segment;
    added->set_begin_position(position);
    added->set_end_position(++position);
  }
  version->set_version(version->version() + 1);
}

absl::Status Catalog::AppendSegments(uint64_t object_id,
                                     const std::vector<v1::TableSegment>& segments,
                                     const Extra& also) {
  if (segments.empty() && also.empty()) return absl::OkStatus();
  Append append{object_id, &segments, &also, absl::OkStatus(), false};
  std::vector<Append*> together;
  {
    MutexLock lock(append_mutex_);
    appends_.push_back(&append);
    while (committing_ && !append.done) appended_.Wait(append_mutex_);
    if (append.done) return append.status;
    committing_ = true;
    together.swap(appends_);
  }
  CommitAppends(together);
  MutexLock lock(append_mutex_);
  for (Append* done : together) done->done = true;
  committing_ = false;
  appended_.NotifyAll();
  return append.status;
}

void Catalog::CommitAppends(const std::vector<Append*>& appends) {
  MutexLock lock(mutex_);
  std::map<uint64_t, std::shared_ptr<v1::CatalogObject>> tables;
  Extra also;
  for (Append* append : appends) {
    auto& table = tables[append->object_id];
    if (table == nullptr) {
      auto copy = CopyOf(append->object_id);
      if (copy.ok()) table = *std::move(copy);
    }
    if (table == nullptr || table->kind() != v1::OBJECT_KIND_TABLE ||
        table->state() != v1::OBJECT_STATE_READY) {
      const std::string name = table == nullptr ? "" : absl::StrCat(" ", table->name());
      append->status = MakeError(SqlState::kUndefinedTable,
                                 absl::StrCat("table", name, " was dropped meanwhile"));
      continue;
    }
    if (!append->segments->empty()) {
      AddSegments(*append->segments, table->mutable_table_version());
    }
    also.insert(also.end(), append->also->begin(), append->also->end());
  }
  std::vector<std::shared_ptr<v1::CatalogObject>> changed;
  for (auto& [id, table] : tables) {
    const auto found = entries_.find(id);
    if (table == nullptr || found == entries_.end()) continue;
    // Tables that nobody has added anything to stay as they are.
    if (table->table_version().version() == found->second.object->table_version().version()) {
      continue;
    }
    changed.push_back(std::move(table));
  }
  if (changed.empty() && also.empty()) return;
  const absl::Status written = Write(std::move(changed), also).status();
  for (Append* append : appends) append->status.Update(written);
}

absl::StatusOr<uint64_t> Catalog::ReplaceSegments(uint64_t object_id,
                                                  const v1::TableSegment& compacted) {
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(auto table, CopyOf(object_id));
  v1::TableVersion version;
  version.set_version(table->table_version().version() + 1);
  uint64_t rows = 0;
  uint64_t covered = compacted.begin_position();
  for (const v1::TableSegment& segment : table->table_version().segments()) {
    if (segment.begin_position() < compacted.begin_position() ||
        segment.end_position() > compacted.end_position()) {
      *version.add_segments() = segment;
      continue;
    }
    if (rows == 0) *version.add_segments() = compacted;
    rows += segment.rows();
    covered = segment.end_position();
  }
  const bool fits = rows == compacted.rows() && covered == compacted.end_position();
  if (table->state() != v1::OBJECT_STATE_READY || !fits) {
    return MakeError(SqlState::kSerializationFailure,
                     absl::StrCat("the segments of table ", table->name(),
                                  " have changed while they were compacted"));
  }
  *table->mutable_table_version() = std::move(version);
  return Write({std::move(table)}, {});
}

}  // namespace millrace
