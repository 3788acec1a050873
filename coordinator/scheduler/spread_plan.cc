#include "coordinator/scheduler/spread_plan.h"

#include <algorithm>

namespace millrace {

v1::PhysicalPlan SpreadPlan(const v1::PhysicalPlan& planned, uint32_t parallelism) {
  v1::PhysicalPlan spread = planned;
  const uint32_t width = std::clamp<uint32_t>(parallelism, 1, std::max(planned.num_shards(), 1U));
  for (v1::Fragment& fragment : *spread.mutable_fragments()) {
    if (fragment.parallelism() > 1) fragment.set_parallelism(width);
  }
  return spread;
}

uint32_t ParallelismOf(const v1::PhysicalPlan& plan) {
  uint32_t parallelism = 1;
  for (const v1::Fragment& fragment : plan.fragments()) {
    parallelism = std::max(parallelism, fragment.parallelism());
  }
  return parallelism;
}

}  // namespace millrace
