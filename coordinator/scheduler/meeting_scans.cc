#include "coordinator/scheduler/meeting_scans.h"

#include <utility>
#include <vector>

#include "common/base/check.h"
#include "coordinator/scheduler/placement.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

std::map<uint32_t, std::set<uint32_t>> MeetingScans(const v1::PhysicalPlan& plan) {
  std::map<uint32_t, std::set<uint32_t>> meeting;
  // By fragment: the scans whose rows come into it. Producers stand before their consumers.
  std::vector<std::set<uint32_t>> scans_of;
  for (const v1::Fragment& fragment : plan.fragments()) {
    std::set<uint32_t> scans;
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (node.has_scan() && node.scan().has_watermark()) scans.insert(node.scan().scan_id());
      if (!node.has_exchange()) return;
      const uint32_t producer = node.exchange().producer_fragment();
      MR_CHECK(producer < scans_of.size());
      scans.insert(scans_of[producer].begin(), scans_of[producer].end());
    });
    // The root is one tree: what comes into a fragment meets in it.
    for (const uint32_t scan : scans) {
      for (const uint32_t other : scans) {
        if (other != scan) meeting[scan].insert(other);
      }
    }
    scans_of.push_back(std::move(scans));
  }
  return meeting;
}

}  // namespace millrace
