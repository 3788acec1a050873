#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "coordinator/metadata/metadata_store.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

// The durable records of jobs that outlive a statement: scripts and streams. Thread-safe.
class JobStore {
 public:
  explicit JobStore(MetadataStore& store);
  // Reads all records; once, before anything else.
  absl::Status Load();

  // Creates a record, with `also` in the same transaction. 42710 if a job of that name has not
  // ended yet. What FindRequest finds is returned instead of a new one.
  absl::StatusOr<v1::JobRecord> Create(v1::JobRecord record,
                                       const std::vector<MetadataWrite>& also = {});
  // The record that a request with this id has created before; 22023 if that was another request.
  absl::StatusOr<std::optional<v1::JobRecord>> FindRequest(const v1::JobRecord& request) const;
  // Read, change, write: one compare-and-swap. 42704 if there is no such job.
  absl::Status Update(uint64_t job_id, const std::function<void(v1::JobRecord&)>& change);
  // The same for a change that may refuse the record as it is: its error is returned and nothing
  // written. 42710 if it brings a job to life while another one of that name lives.
  absl::Status UpdateIf(uint64_t job_id, const std::function<absl::Status(v1::JobRecord&)>& change);
  // With `also` in the same transaction; those are not written if there is no such job.
  absl::Status Remove(uint64_t job_id, const std::vector<MetadataWrite>& also = {});

  std::optional<v1::JobRecord> Get(uint64_t job_id) const;
  // Returns when a record has changed since AwaitChange returned `seen` (0 at first), and at the
  // latest after `at_most`. Returns what to give the next call.
  uint64_t AwaitChange(uint64_t seen, std::chrono::microseconds at_most) const;
  // By id, else by name (the newest of that name). 42704 if there is none.
  absl::StatusOr<v1::JobRecord> Find(const std::string& id_or_name) const;
  // Newest first.
  std::vector<v1::JobRecord> List() const;

 private:
  struct Entry {
    v1::JobRecord record;
    uint64_t revision = 0;
  };

  absl::StatusOr<std::optional<v1::JobRecord>> FindRequestLocked(const v1::JobRecord& request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Write(Entry& entry, v1::JobRecord record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckName(const v1::JobRecord& record) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MetadataStore& store_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  uint64_t num_changes_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

// Notes that an attempt has ended with `cause` and another one is started from `restored_epoch` (0
// = from the beginning). The newest kRestartsKept stay listed.
inline constexpr int kRestartsKept = 16;
void AddRestart(v1::JobRecord& record, uint32_t attempt, int64_t at_micros,
                const absl::Status& cause, uint64_t restored_epoch);

// True if the request was the job's last restart: its answer is in the record. 22023 if it names
// another checkpoint than the one that the job went on from.
absl::StatusOr<bool> WasRestartedBy(const v1::JobRecord& record, const std::string& request_id,
                                    uint64_t checkpoint_epoch);

// Created or running.
bool IsLive(const v1::JobRecord& record);

}  // namespace millrace
