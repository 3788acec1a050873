#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

// SUBSCRIBE TO view: sends what changes in the view, until the client cancels or the view's job
// ends. Columns: epoch, weight, those of the view. For each epoch that is sent, the changes since
// the one sent before it, added up, with that epoch's number. A row of weight 0 and NULLs says:
// nothing above its epoch holds, and everything up to it has been sent. A batch without rows ends
// each epoch.
//
// Each epoch is a bounded read of the view's parts (ViewChangesSource). No read goes past an epoch
// that is, or may become, durable: so after a restart the reader stands exactly where the job goes
// on, or can be put back there. Used by one statement's thread.
class SubscribeStatement {
 public:
  SubscribeStatement(ClusterParts& parts, StatementContext& context, const StatementMoment& moment,
                     const BoundSubscribe& statement);

  absl::StatusOr<StatementResult> Run();

 private:
  // Changes that were read before their epoch became durable.
  struct Fetched {
    uint64_t epoch = 0;
    // Messages and their rows.
    std::vector<std::pair<std::string, uint64_t>> batches;
    // There were too many: they are read again when they can be sent.
    bool too_large = false;
  };

  absl::Status Follow();
  // Chooses the epoch from which the changes go on.
  absl::Status Begin();
  absl::StatusOr<uint64_t> AwaitDurableEpoch();
  // The job is at its end, and the reader has everything.
  bool AllSent(const ChangesView& now) const;
  // True if something can be done.
  bool HasWork(const ChangesView& now) const;
  absl::Status Work(const ChangesView& now);
  absl::Status OnRestart(const ChangesView& now);
  absl::Status TakeBackTo(uint64_t epoch);
  // The rows at sent_.
  absl::Status SendSnapshot();
  absl::Status ReadNext(const ChangesView& now);
  absl::Status SendFetched();
  absl::Status OnBrokenRead(const absl::Status& error, bool rows_left);
  // 0 = nothing to read.
  uint64_t Target(const ChangesView& now) const;
  bool MaySend(const ChangesView& now) const;

  // Rows with the changes in (after, through] go to `sink`.
  absl::Status Read(uint64_t after, uint64_t through, ResultSink& sink);
  absl::Status WriteSchema();
  // Ends an epoch.
  absl::Status WriteEnd(uint64_t epoch);
  absl::Status WriteMark(uint64_t epoch);
  void Advance(uint64_t epoch);
  absl::Status Behind() const;

  ClusterParts& parts_;
  StatementContext& context_;
  const StatementMoment& moment_;
  const BoundSubscribe& statement_;
  // What the plan of a read scans: the view's changes, as a relation.
  const CatalogObjectPtr relation_;
  const bool durable_;

  uint64_t subscriber_ = 0;
  uint32_t attempt_ = 0;
  // The epoch from which the changes go on, and up to which the reader has everything.
  uint64_t base_ = 0;
  uint64_t sent_ = 0;
  // Nothing has been promised to the reader yet.
  bool fresh_ = true;
  // The reader has nothing: first come the rows at sent_.
  bool snapshot_due_ = false;
  std::optional<Fetched> fetched_;
  int broken_reads_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace millrace
