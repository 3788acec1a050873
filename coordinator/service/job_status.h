#pragma once

#include <string>
#include <vector>

#include "coordinator/service/cluster_parts.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {

// What clients see of a job. Of a script: its steps, and the tasks and epochs of the streams that
// it has created. Of a stream: one step.
v1::JobStatus StatusOfJob(const v1::JobRecord& record, const ClusterParts& parts);

// What the records alone say of it: without steps, tasks and the time. `streams` are those of a
// script.
v1::JobStatus StatusOfRecords(const v1::JobRecord& record,
                              const std::vector<v1::JobRecord>& streams);

// Lower-case words: "running", "finished".
std::string JobStateName(v1::JobState state);
std::string StepStateName(v1::StepState state);
std::string TaskStateName(v1::TaskState state);
std::string WorkerPhaseName(WorkerPhase phase);

}  // namespace millrace
