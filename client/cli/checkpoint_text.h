#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace millrace {

namespace v1 {
class InspectCheckpointResponse;
class JobCheckpoint;
}  // namespace v1

// Checkpoints for people, one a line.
std::string CheckpointsText(const std::vector<v1::JobCheckpoint>& checkpoints);

// One checkpoint with files, positions and sinks. `verified`: the files were compared.
std::string CheckpointText(const v1::InspectCheckpointResponse& checkpoint, bool verified);

// Files with something wrong.
size_t NumDamaged(const v1::InspectCheckpointResponse& checkpoint);

}  // namespace millrace
