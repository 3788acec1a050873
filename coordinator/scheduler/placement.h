#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"

namespace millrace {

namespace v1 {
class PhysicalPlan;
class TaskPlacement;
}  // namespace v1

// A worker that can take tasks.
struct SlotOffer {
  WorkerId worker;
  uint32_t slots = 0;
};

// Where every task of a plan runs. Tasks of a fragment go round the workers, each worker as often
// as it has slots, so that every worker gets a task of each fragment that is wide enough; task i of
// two fragments of equal width share a worker (FORWARD stays in one process). Fragments of one task
// take turns among the workers. A bounded plan of nothing but such fragments stays on one worker,
// which `turn` chooses. Streaming: task i of P owns a contiguous range of the shards. 53000 (retry
// safe) without workers. Pure.
absl::StatusOr<std::vector<v1::TaskPlacement>> PlaceTasks(const v1::PhysicalPlan& plan,
                                                          const std::vector<SlotOffer>& offers,
                                                          uint64_t turn = 0);

// The parallelism of a statement that does not set one.
uint32_t DefaultParallelism(const std::vector<SlotOffer>& offers);
// Shards of a new streaming job: four for each slot, 8 to 256, at least `parallelism`.
uint32_t DefaultNumShards(const std::vector<SlotOffer>& offers, uint32_t parallelism);

std::set<WorkerId> WorkersOf(const std::vector<v1::TaskPlacement>& placements);

// Calls `visit` for the node (a v1::PlanNode) and all below it.
template <typename Node, typename Visit>
void ForEachNode(const Node& node, const Visit& visit) {
  visit(node);
  for (const auto& input : node.inputs()) ForEachNode(input, visit);
}

}  // namespace millrace
