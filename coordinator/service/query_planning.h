#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/planner/planner.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/statement_context.h"
#include "coordinator/sql/binder.h"

namespace millrace {

using PlanPtr = std::shared_ptr<const v1::PhysicalPlan>;

// What every part of one statement sees: the catalog at its start, and its time.
struct StatementMoment {
  std::shared_ptr<const CatalogSnapshot> catalog;
  int64_t wall_micros = 0;
  BindContext bind;
};

// kBounded: it ends. kStream: a job that follows its input. kStreamOnWindowClose: each window's
// result once.
enum class PlanMode : uint8_t { kBounded, kStream, kStreamOnWindowClose };

// A bound query, and where its rows go.
struct PlanRequest {
  LogicalPtr query;
  PlanMode mode = PlanMode::kBounded;
  PlanTarget target = ResultTarget{};
  StreamPositions positions = {};
};

// Operators and bytes of a plan that may be sent to workers, whose messages have a limit too.
inline constexpr size_t kPlanNodesMax = 50'000;
inline constexpr size_t kPlanBytesMax = size_t{32} << 20;
// 54001 for a plan that is larger.
absl::Status CheckPlanSize(const v1::PhysicalPlan& plan);

// From a bound query to the plan for the cluster as it is now: system views become rows, a stream's
// materialized views become the queries behind them, parallelism and shards follow the settings and
// the slots.
absl::StatusOr<PlanPtr> PlanStatement(PlanRequest request, const ClusterParts& parts,
                                      const StatementContext& context,
                                      const StatementMoment& moment);

// A statement of a streaming job, and which one of its script.
struct StreamRequest {
  PlanRequest request;
  uint32_t step = 0;
};

// The plan of a streaming job, as StreamSpec holds it: for at least two tasks, also where there is
// one slot, so that the job can be spread over more later.
struct StreamPlan {
  PlanPtr planned;
  uint32_t parallelism = 1;
};

// The plan of a streaming job that runs all these statements. `moment` shows the views that they
// read of each other.
absl::StatusOr<StreamPlan> PlanStreamJob(std::vector<StreamRequest> requests,
                                         const ClusterParts& parts, const StatementContext& context,
                                         const StatementMoment& moment);

// True if some input of the query never ends by itself.
bool IsUnbounded(const LogicalNode& query);

}  // namespace millrace
