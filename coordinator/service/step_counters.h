#pragma once

#include <cstdint>

#include "coordinator/job/ended_attempts.h"
#include "coordinator/job/stream_jobs.h"

namespace millrace {

// What people see of a job's tasks: counters of workers, told apart by step and named as EXPLAIN
// names the operators.

// Fills in what workers leave empty: each task's step and the names of its operators. A bounded
// statement's tasks all belong to `only_step`; those of a stream (null) to the step of their
// fragment.
void NameTasks(AttemptTasks* attempt, const uint32_t* only_step);

// Counters of a step of a bounded statement, from its tasks. `tasks` are named already.
void CountBoundedStep(const AttemptTasks& attempt, v1::StepStatus* step);

// Counters of a streaming job's step: those of the newest published epoch where they are counted by
// epoch, else the newest that the tasks have reported.
void CountStreamStep(const StreamView& stream, const AttemptTasks& attempt, v1::StepStatus* step);

}  // namespace millrace
