#include "coordinator/service/worker_wait.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

constexpr std::chrono::milliseconds kWorkerPause(50);
// Nobody has to hear of a shorter wait.
constexpr int64_t kSilentWaitMicros = 1'000'000;

absl::Status NoWorker() {
  return MakeError(ErrorDetail{SqlState::kInsufficientResources, 0,
                               "start a worker: millrace-worker --coordinator HOST:PORT",
                               Blame::kExternal, Retry::kSafe},
                   "no worker is connected");
}

// OK: the step goes on.
void ShowCause(const ClusterParts& parts, const StatementContext& context,
               const absl::Status& cause) {
  if (context.parent_job_id == 0) return;
  const absl::Status shown =
      parts.job_store.Update(context.parent_job_id, [&](v1::JobRecord& script) {
        v1::StepStatus& step = *script.mutable_steps(static_cast<int>(context.step));
        step.clear_error();
        if (!cause.ok()) ToProto(cause, step.mutable_error());
      });
  if (!shown.ok()) LogError("job", "cannot record why a step waits", shown);
}

}  // namespace

absl::Status AwaitWorker(const ClusterParts& parts, const StatementContext& context) {
  const int64_t begin = parts.clock.MonotonicMicros();
  bool shown = false;
  while (!parts.registry.has_active()) {
    const int64_t waited = parts.clock.MonotonicMicros() - begin;
    if (waited >= parts.worker_wait_micros) return NoWorker();
    if (!shown && waited >= kSilentWaitMicros) {
      shown = true;
      ShowCause(parts, context, NoWorker());
      const std::string notice = absl::StrCat("no worker is connected; waiting up to ",
                                              parts.worker_wait_micros / 1'000'000, " s for one");
      MR_RETURN_IF_ERROR(context.sink.Notice(notice, ""));
    }
    context.cancellation.CheckDeadline(parts.clock);
    MR_RETURN_IF_ERROR(context.cancellation.status());
    parts.registry.AwaitActive(kWorkerPause);
  }
  if (shown) ShowCause(parts, context, absl::OkStatus());
  return absl::OkStatus();
}

}  // namespace millrace
