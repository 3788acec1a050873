#include "coordinator/catalog/catalog.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "coordinator/catalog/drop_plan.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

constexpr uint32_t kRecordFormat = 1;
constexpr char kPrefix[] = "catalog/";

std::string KeyOf(uint64_t object_id) { return absl::StrCat(kPrefix, object_id); }

}  // namespace

Catalog::Catalog(MetadataStore& store, IdAllocator& object_ids)
    : store_(store), object_ids_(object_ids), system_views_(SystemViews()) {}

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Open(MetadataStore& store,
                                                       IdAllocator& object_ids) {
  auto catalog = std::unique_ptr<Catalog>(new Catalog(store, object_ids));
  MR_RETURN_IF_ERROR(catalog->Load());
  return catalog;
}

absl::Status Catalog::Load() {
  MR_ASSIGN_OR_RETURN(std::vector<MetadataEntry> records, store_.List(kPrefix));
  MutexLock lock(mutex_);
  uint64_t newest = 0;
  for (const MetadataEntry& record : records) {
    auto object = std::make_shared<v1::CatalogObject>();
    if (!object->ParseFromString(record.value)) {
      return MakeError(SqlState::kDataCorrupted,
                       absl::StrCat("catalog record is damaged: ", record.key));
    }
    MR_RETURN_IF_ERROR(CheckRecordFormat(absl::StrCat("catalog record of ", object->name()),
                                         object->format_version(), kRecordFormat));
    newest = std::max(newest, record.revision);
    const uint64_t id = object->id();
    entries_[id] = Entry{std::move(object), record.revision};
  }
  PublishSnapshot(newest);
  return absl::OkStatus();
}

void Catalog::PublishSnapshot(uint64_t revision) {
  std::vector<CatalogObjectPtr> objects = system_views_;
  for (const auto& [id, entry] : entries_) objects.push_back(entry.object);
  std::shared_ptr<const CatalogSnapshot> next(
      new CatalogSnapshot(std::move(objects), revision),
      [hook = release_hook_](const CatalogSnapshot* snapshot) {
        delete snapshot;
        if (*hook) (*hook)();
      });
  std::shared_ptr<const CatalogSnapshot> replaced;
  MutexLock lock(snapshot_mutex_);
  while (!snapshots_.empty() && snapshots_.front().second.expired()) snapshots_.pop_front();
  snapshots_.emplace_back(revision, next);
  replaced = std::exchange(snapshot_, std::move(next));
}

std::shared_ptr<const CatalogSnapshot> Catalog::Snapshot() const {
  MutexLock lock(snapshot_mutex_);
  return snapshot_;
}

uint64_t Catalog::OldestRevisionInUse() const {
  MutexLock lock(snapshot_mutex_);
  std::erase_if(snapshots_, [](const auto& entry) { return entry.second.expired(); });
  // The newest one is always in use.
  return snapshots_.front().first;
}

void Catalog::SetReleaseHook(std::function<void()> hook) { *release_hook_ = std::move(hook); }

absl::Status Catalog::CheckDependencies(const v1::CatalogObject& object) const {
  for (const uint64_t id : object.depends_on()) {
    const auto it = entries_.find(id);
    if (it != entries_.end()) {
      const v1::CatalogObject& needed = *it->second.object;
      if (needed.state() == v1::OBJECT_STATE_READY) continue;
      const bool same_job = object.job_id() != 0 && needed.job_id() == object.job_id();
      if (needed.state() == v1::OBJECT_STATE_CREATING && same_job) continue;
    }
    return MakeError(
        SqlState::kUndefinedTable,
        absl::StrCat("something that ", DescribeObject(object), " reads was dropped meanwhile"));
  }
  return absl::OkStatus();
}

absl::StatusOr<CatalogObjectPtr> Catalog::Create(v1::CatalogObject object, const Extra& also) {
  MR_CHECK(object.state() == v1::OBJECT_STATE_READY || object.state() == v1::OBJECT_STATE_CREATING);
  MR_ASSIGN_OR_RETURN(const uint64_t id, object_ids_.Next());
  MutexLock lock(mutex_);
  for (const auto& [other_id, entry] : entries_) {
    if (entry.object->name() != object.name()) continue;
    return MakeError(SqlState::kDuplicateTable,
                     absl::StrCat("relation \"", object.name(), "\" already exists"));
  }
  MR_RETURN_IF_ERROR(CheckDependencies(object));
  auto created = std::make_shared<v1::CatalogObject>(std::move(object));
  created->set_id(id);
  created->set_format_version(kRecordFormat);
  std::vector<MetadataWrite> writes = {{KeyOf(id), created->SerializeAsString()}};
  if (created->state() == v1::OBJECT_STATE_READY) {
    writes.insert(writes.end(), also.begin(), also.end());
  }
  MR_ASSIGN_OR_RETURN(const uint64_t revision, store_.Transact({{KeyOf(id), 0}}, writes));
  entries_[id] = Entry{created, revision};
  PublishSnapshot(revision);
  return CatalogObjectPtr(std::move(created));
}

absl::StatusOr<std::shared_ptr<v1::CatalogObject>> Catalog::CopyOf(uint64_t object_id) const {
  auto it = entries_.find(object_id);
  if (it == entries_.end()) {
    return MakeError(SqlState::kUndefinedTable,
                     absl::StrCat("object ", object_id, " does not exist (any more)"));
  }
  return std::make_shared<v1::CatalogObject>(*it->second.object);
}

absl::StatusOr<uint64_t> Catalog::Write(std::vector<std::shared_ptr<v1::CatalogObject>> changed,
                                        const Extra& also) {
  std::vector<MetadataCondition> conditions;
  std::vector<MetadataWrite> writes;
  for (const auto& object : changed) {
    conditions.push_back({KeyOf(object->id()), entries_.at(object->id()).revision});
    writes.push_back({KeyOf(object->id()), object->SerializeAsString()});
  }
  writes.insert(writes.end(), also.begin(), also.end());
  MR_ASSIGN_OR_RETURN(const uint64_t revision, store_.Transact(conditions, writes));
  for (auto& object : changed) {
    const uint64_t id = object->id();
    entries_[id] = Entry{std::move(object), revision};
  }
  PublishSnapshot(revision);
  return revision;
}

absl::Status Catalog::CompleteCreate(uint64_t object_id, const Change& complete,
                                     const Extra& also) {
  return CompleteCreates({{object_id, complete}}, also);
}

absl::Status Catalog::CompleteCreates(const std::map<uint64_t, Change>& completes,
                                      const Extra& also) {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<v1::CatalogObject>> objects;
  for (const auto& [id, complete] : completes) {
    MR_ASSIGN_OR_RETURN(auto object, CopyOf(id));
    if (object->state() != v1::OBJECT_STATE_CREATING) {
      return InternalError(absl::StrCat(DescribeObject(*object), " is not being created"));
    }
    if (complete) complete(*object);
    object->set_state(v1::OBJECT_STATE_READY);
    objects.push_back(std::move(object));
  }
  return Write(std::move(objects), also).status();
}

absl::Status Catalog::Update(uint64_t object_id, const Change& change, const Extra& also) {
  MutexLock lock(mutex_);
  MR_ASSIGN_OR_RETURN(auto object, CopyOf(object_id));
  change(*object);
  return Write({std::move(object)}, also).status();
}

absl::Status Catalog::BeginDrop(const std::vector<uint64_t>& object_ids, const Extra& also) {
  MutexLock lock(mutex_);
  const std::set<uint64_t> dropped(object_ids.begin(), object_ids.end());
  for (const auto& [id, entry] : entries_) {
    if (dropped.contains(id)) continue;
    for (const uint64_t needed : entry.object->depends_on()) {
      if (!dropped.contains(needed) || !entries_.contains(needed)) continue;
      return DependencyError(*entries_.at(needed).object, {entry.object});
    }
  }
  std::vector<std::shared_ptr<v1::CatalogObject>> changed;
  for (uint64_t id : object_ids) {
    MR_ASSIGN_OR_RETURN(auto object, CopyOf(id));
    if (object->state() == v1::OBJECT_STATE_CREATING) {
      return MakeError(SqlState::kObjectInUse,
                       absl::StrCat(DescribeObject(*object), " is being created"));
    }
    object->set_state(v1::OBJECT_STATE_DROPPING);
    changed.push_back(std::move(object));
  }
  return Write(std::move(changed), also).status();
}

absl::Status Catalog::Remove(const std::vector<uint64_t>& object_ids) {
  MutexLock lock(mutex_);
  std::vector<MetadataCondition> conditions;
  std::vector<MetadataWrite> writes;
  for (uint64_t id : object_ids) {
    auto it = entries_.find(id);
    if (it == entries_.end()) continue;
    MR_CHECK(it->second.object->state() != v1::OBJECT_STATE_READY);
    conditions.push_back({KeyOf(id), it->second.revision});
    writes.push_back({KeyOf(id), std::nullopt});
  }
  if (writes.empty()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(const uint64_t revision, store_.Transact(conditions, writes));
  for (uint64_t id : object_ids) entries_.erase(id);
  PublishSnapshot(revision);
  return absl::OkStatus();
}

std::vector<CatalogObjectPtr> Catalog::Unfinished() const {
  MutexLock lock(mutex_);
  std::vector<CatalogObjectPtr> unfinished;
  for (const auto& [id, entry] : entries_) {
    if (entry.object->state() != v1::OBJECT_STATE_READY) unfinished.push_back(entry.object);
  }
  return unfinished;
}

}  // namespace millrace
