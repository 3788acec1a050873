#pragma once

#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "coordinator/job/attempt_runs.h"
#include "coordinator/membership/worker_registry.h"

namespace millrace {

// Workers that leave in good order. Each says so itself (WorkerLeaving), on a signal or because it
// was asked to (Drain); from then on it gets no new tasks, and it is let go (Drain again) when
// nothing of it is needed any more. How long it waits for that is its own business. Thread-safe.
class WorkerDrain {
 public:
  WorkerDrain(WorkerRegistry& registry, const AttemptRuns& runs)
      : registry_(registry), runs_(runs) {}

  // Asks the worker with this id or name to leave. Repeating it changes nothing. 42704 if there is
  // none, or it has left, 55000 if it is lost or several have the name.
  absl::Status Ask(absl::string_view worker);

  void OnWorkerLeaving(WorkerId worker);
  void OnWorkerLost(WorkerId worker);
  // Lets go who is not needed any more. Called a few times a second.
  void Tick();

 private:
  enum class Stage : uint8_t { kAsked, kLeaving, kLetGo };

  WorkerRegistry& registry_;
  const AttemptRuns& runs_;

  Mutex mutex_;
  std::map<WorkerId, Stage> stages_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
