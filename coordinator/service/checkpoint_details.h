#pragma once

#include "absl/status/status.h"
#include "coordinator/epoch/checkpoint_files.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/checkpoint_service.pb.h"

namespace millrace {

// Fills in what the checkpoint of `request.epoch` (0 = the newest) of the job holds, all but the
// job's names. With verify every file is read. `plan`: names the scans; may be null. 42704 if the
// checkpoint is not kept. Blocks on the disk.
absl::Status DescribeCheckpoint(const v1::JobRecord& job, const v1::PhysicalPlan* plan,
                                const CheckpointFiles& checkpoints,
                                const v1::InspectCheckpointRequest& request,
                                v1::InspectCheckpointResponse* response);

}  // namespace millrace
