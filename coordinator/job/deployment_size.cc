#include "coordinator/job/deployment_size.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

constexpr size_t kBytesMax = size_t{48} << 20;
constexpr int kFirstSplitsMax = 4096;

}  // namespace

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
