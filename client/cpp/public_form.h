#pragma once

#include "absl/status/status.h"
#include "millrace/error.h"
#include "millrace/job.h"

namespace millrace {

namespace v1 {
class JobCheckpoint;
class JobStatus;
class WorkerStatus;
}  // namespace v1

// What comes over the wire, in the words of the public headers.

// `status` is not OK.
Error ToError(const absl::Status& status);
JobCheckpoint ToJobCheckpoint(const v1::JobCheckpoint& checkpoint);
JobStatus ToJobStatus(const v1::JobStatus& job);
WorkerStatus ToWorkerStatus(const v1::WorkerStatus& worker);

}  // namespace millrace
