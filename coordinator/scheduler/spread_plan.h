#pragma once

#include <cstdint>

#include "millrace/v1/plan.pb.h"

namespace millrace {

// The plan of a stream with `parallelism` tasks for each fragment that has several in `planned`,
// at most one for each shard. Operators and fragments keep their numbers, so state that was written
// under one parallelism is read under another: shards move whole. Pure.
v1::PhysicalPlan SpreadPlan(const v1::PhysicalPlan& planned, uint32_t parallelism);

// The tasks of those fragments; 1 if no fragment has several.
uint32_t ParallelismOf(const v1::PhysicalPlan& plan);

}  // namespace millrace
