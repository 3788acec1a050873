#include "coordinator/membership/worker_handshake.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/membership/membership_state.h"

namespace millrace {

WorkerHandshake::WorkerHandshake(const std::vector<SharedStorage>& folders, std::string version)
    : folders_(folders), version_(std::move(version)) {}

absl::StatusOr<WorkerHandshake::Step> WorkerHandshake::OnMessage(const v1::WorkerMessage& message) {
  if (!has_hello_) {
    if (!message.has_hello()) {
      return MakeError(SqlState::kProtocolViolation, "the first message must be a hello");
    }
    MR_RETURN_IF_ERROR(CheckHello(message.hello(), version_));
    has_hello_ = true;
    hello_ = message.hello();
    return folders_.empty() ? Step::kJoin : Step::kChallenge;
  }
  if (!message.has_storage_proof()) {
    return MakeError(SqlState::kProtocolViolation, "the second message must be the storage proof");
  }
  const std::string worker = absl::StrCat("worker ", hello_.name(), " at ", hello_.data_address());
  MR_RETURN_IF_ERROR(CheckStorageProof(folders_, message.storage_proof(), worker));
  return Step::kJoin;
}

}  // namespace millrace
