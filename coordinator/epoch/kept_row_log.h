#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "millrace/v1/control.pb.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

// The malformed rows that one streaming job has kept (bad_rows = 'keep'): at most kRowsMax rows and
// about kBytesMax bytes; more are only counted, in the positions. A row belongs to the epoch whose
// barrier followed it, so it is kept once: an attempt goes on from the rows that its checkpoint
// holds. Pure.
class KeptRowLog {
 public:
  static constexpr size_t kRowsMax = 1000;
  static constexpr size_t kBytesMax = size_t{1} << 20;
  using Rows = std::vector<v1::KeptRow>;

  KeptRowLog();
  // Goes on from a checkpoint.
  explicit KeptRowLog(const v1::CheckpointManifest& manifest);

  // Rows wait for their epoch to be published. `now_micros`: wall time.
  void Add(const v1::EpochAck& ack, int64_t now_micros);
  void Publish(uint64_t epoch);
  // The rows up to the manifest's epoch, which is published.
  void AddTo(v1::CheckpointManifest* manifest) const;

  // Of published epochs, ascending; within one by split and position. Never null, never changed
  // later.
  std::shared_ptr<const Rows> rows() const { return rows_; }

 private:
  bool full() const { return num_rows_ >= kRowsMax || num_bytes_ >= kBytesMax; }

  std::map<uint64_t, Rows> waiting_;
  std::shared_ptr<const Rows> rows_;
  // Waiting ones included.
  size_t num_rows_ = 0;
  size_t num_bytes_ = 0;
};

}  // namespace millrace
