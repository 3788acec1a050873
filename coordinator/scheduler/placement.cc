#include "coordinator/scheduler/placement.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

// One entry for each slot: first every worker once, then every worker with a second slot, and so
// on.
std::vector<WorkerId> SlotOrder(const std::vector<SlotOffer>& offers) {
  uint32_t most = 0;
  for (const SlotOffer& offer : offers) most = std::max(most, offer.slots);
  std::vector<WorkerId> order;
  for (uint32_t round = 0; round < most; ++round) {
    for (const SlotOffer& offer : offers) {
      if (offer.slots > round) order.push_back(offer.worker);
    }
  }
  return order;
}

}  // namespace

absl::StatusOr<std::vector<v1::TaskPlacement>> PlaceTasks(const v1::PhysicalPlan& plan,
                                                          const std::vector<SlotOffer>& offers,
                                                          uint64_t turn) {
  const std::vector<WorkerId> order = SlotOrder(offers);
  if (order.empty()) {
    ErrorDetail detail;
    detail.state = SqlState::kInsufficientResources;
    detail.blame = Blame::kExternal;
    detail.retry = Retry::kSafe;
    detail.hint = "start a worker: millrace-worker --coordinator HOST:PORT";
    return MakeError(detail, "no worker is connected");
  }
  std::vector<v1::TaskPlacement> placements;
  const bool one_worker =
      !plan.streaming() && std::all_of(plan.fragments().begin(), plan.fragments().end(),
                                       [](const auto& f) { return f.parallelism() == 1; });
  uint32_t singles = 0;
  for (const v1::Fragment& fragment : plan.fragments()) {
    MR_CHECK(fragment.parallelism() > 0);
    const uint32_t width = fragment.parallelism();
    uint64_t first = width == 1 ? singles++ : 0;
    if (one_worker) first = turn;
    for (uint32_t task = 0; task < width; ++task) {
      v1::TaskPlacement placement;
      placement.set_fragment(fragment.id());
      placement.set_task_index(task);
      placement.set_worker_id(order[(first + task) % order.size()].value());
      const uint64_t shards = plan.num_shards();
      const uint64_t begin = shards * task / width;
      placement.set_first_shard(static_cast<uint32_t>(begin));
      placement.set_num_shards(static_cast<uint32_t>(shards * (task + 1) / width - begin));
      placements.push_back(std::move(placement));
    }
  }
  return placements;
}

uint32_t DefaultParallelism(const std::vector<SlotOffer>& offers) {
  uint32_t slots = 0;
  for (const SlotOffer& offer : offers) slots += offer.slots;
  return std::max<uint32_t>(slots, 1);
}

uint32_t DefaultNumShards(const std::vector<SlotOffer>& offers, uint32_t parallelism) {
  const uint32_t shards = std::clamp<uint32_t>(4 * DefaultParallelism(offers), 8, 256);
  return std::max(shards, parallelism);
}

std::set<WorkerId> WorkersOf(const std::vector<v1::TaskPlacement>& placements) {
  std::set<WorkerId> workers;
  for (const v1::TaskPlacement& placement : placements) {
    workers.insert(WorkerId(placement.worker_id()));
  }
  return workers;
}

}  // namespace millrace
