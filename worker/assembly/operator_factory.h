#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "common/storage/staged_commit.h"
#include "worker/operators/operator.h"

namespace millrace {

class AddressPolicy;
class FileSystem;

namespace v1 {
class PlanNode;
}  // namespace v1

// Whose operator it is, for those that write outside.
struct OperatorOwner {
  FileOwner files;
  uint32_t attempt = 0;
  uint32_t task_index = 0;
  bool streaming = false;
};

// The operator for a plan node that has inputs. 0A000 for nodes that this version does not know.
absl::StatusOr<std::unique_ptr<Operator>> CreateOperator(const v1::PlanNode& node,
                                                         const OperatorOwner& owner,
                                                         FileSystem& file_system,
                                                         const AddressPolicy& addresses);

}  // namespace millrace
