#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/statement_context.h"
#include "coordinator/service/statement_losses.h"

namespace millrace {

class BoundedRun;
struct ResultTask;

namespace v1 {
class ResultChunk;
}  // namespace v1

// A plan that ends, and what it reads.
struct BoundedQuery {
  std::shared_ptr<const v1::PhysicalPlan> plan;
  // Table versions are those of this snapshot.
  std::shared_ptr<const CatalogSnapshot> catalog;
  // Beside the views that the plan names: what a scan of changes reads.
  std::vector<ViewPartAtEpoch> view_parts = {};
  // 0 = a new one.
  uint64_t job_id = 0;
};

struct BoundedResult {
  uint64_t rows = 0;
  // What sinks have staged; the caller commits it.
  std::vector<v1::StagedFile> staged_files;
  // The last counters of every task.
  std::vector<v1::TaskProgress> tasks;
};

// Runs bounded plans and waits for them. A statement whose attempt is lost with a worker starts
// again as a new attempt, as long as attempts get on (StatementLosses) and none of its rows has
// left for a client; nothing that a failed attempt has staged is ever committed. Used by one
// statement's thread.
class BoundedRunner {
 public:
  BoundedRunner(ClusterParts& parts, StatementContext& context)
      : parts_(parts), context_(context) {}

  // The rows go to the context's sink.
  absl::StatusOr<BoundedResult> RunQuery(const BoundedQuery& query);
  // The plan ends in a sink, and its result is the number of rows: BoundedResult::rows.
  absl::StatusOr<BoundedResult> RunSink(const BoundedQuery& query);

 private:
  enum class Rows : uint8_t { kToSink, kAreACount };
  // An attempt whose tasks were deployed.
  struct Attempt {
    uint64_t job_id = 0;
    uint32_t number = 0;
    std::vector<v1::TaskPlacement> placements;
    std::shared_ptr<BoundedRun> run;
  };

  absl::StatusOr<BoundedResult> Run(const BoundedQuery& query);
  // `lost`: of an attempt that was deployed, also after an error.
  absl::StatusOr<BoundedResult> RunAttempt(const BoundedQuery& query, BoundViews views,
                                           uint64_t job_id, uint32_t number, LostAttempt* lost);
  absl::StatusOr<AttemptSpec> MakeSpec(const BoundedQuery& query, BoundViews views) const;
  absl::Status Gather(const v1::PhysicalPlan& plan, const Attempt& attempt, BoundedResult* result);
  std::vector<ResultTask> ResultTasks(const v1::PhysicalPlan& plan, const Attempt& attempt) const;
  absl::Status Deliver(const v1::PhysicalPlan& plan, v1::ResultChunk& chunk, BoundedResult* result);
  // Remembers the rows that were left out, and tells the client of them.
  void RecordBadRows(const v1::PhysicalPlan& plan, uint64_t job_id, const BoundedResult& result,
                     std::vector<v1::KeptRow> kept_rows);
  absl::Status Pause(int64_t micros) const;
  absl::StatusOr<BoundViews> BindViews(const v1::PhysicalPlan& plan);
  // Decides whether an attempt that failed is followed by another one: OK, after a pause; else what
  // the statement ends with.
  absl::Status BeforeRetry(const absl::Status& failure, uint32_t number,
                           const v1::PhysicalPlan& plan, const LostAttempt& lost);

  ClusterParts& parts_;
  StatementContext& context_;
  Rows rows_ = Rows::kToSink;
  StatementLosses losses_;
  bool rows_left_ = false;
  bool schema_sent_ = false;
  std::vector<std::string> count_messages_;
};

// Every view that the plan reads.
std::set<ViewRead> ViewReadsOf(const v1::PhysicalPlan& plan);

}  // namespace millrace
