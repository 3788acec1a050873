#include "coordinator/job/deployment_size.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/scheduler/placement.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

constexpr size_t kBytesMax = size_t{48} << 20;
constexpr int kFirstSplitsMax = 4096;
// Each costs both of its ends about a kilobyte, and all of them are there before the first row.
constexpr uint64_t kChannelsOfWorkerMax = 100'000;

uint64_t CountChannels(const v1::PhysicalPlan& plan) {
  std::map<uint32_t, std::pair<uint64_t, v1::Distribution>> producers;
  for (const v1::Fragment& fragment : plan.fragments()) {
    for (const v1::Output& output : fragment.outputs()) {
      producers[output.exchange_id()] = {fragment.parallelism(), output.distribution()};
    }
  }
  uint64_t channels = 0;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      const auto producer = producers.find(node.exchange().exchange_id());
      if (!node.has_exchange() || producer == producers.end()) return;
      const auto [tasks, distribution] = producer->second;
      const bool in_pairs = distribution == v1::DISTRIBUTION_FORWARD;
      channels += in_pairs ? tasks : tasks * fragment.parallelism();
    });
  }
  return channels;
}

}  // namespace

absl::Status CheckChannels(const v1::PhysicalPlan& plan, size_t num_workers) {
  const uint64_t channels = CountChannels(plan);
  const uint64_t channels_max = kChannelsOfWorkerMax * std::max<size_t>(num_workers, 1);
  if (channels <= channels_max) return absl::OkStatus();
  return MakeError(SqlState::kProgramLimitExceeded,
                   absl::StrCat("the plan has ", channels, " channels between its tasks, at most ",
                                channels_max, " are allowed"),
                   "choose a smaller parallelism");
}

absl::Status CheckDeploymentSize(const v1::PhysicalPlan& plan,
                                 const std::optional<v1::CheckpointManifest>& restore) {
  size_t bytes = plan.ByteSizeLong();
  if (restore.has_value()) bytes += restore->ByteSizeLong();
  if (bytes <= kBytesMax) return absl::OkStatus();
  return MakeError(SqlState::kProgramLimitExceeded,
                   absl::StrCat("the plan and its checkpoint have ", bytes, " bytes, at most ",
                                kBytesMax, " can be sent to a worker"));
}

bool MoreSplitsFit(const v1::DeployAttempt& deploy) {
  int splits = 0;
  for (const v1::SplitAssignment& assignment : deploy.assignments()) {
    splits += assignment.splits_size();
  }
  return splits < kFirstSplitsMax;
}

}  // namespace millrace
