#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/membership/shared_storage.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

// The first messages of one worker, as plain data: hello → (storage challenge) → storage proof →
// it may join. Pure: each message returns what is to be done now; an error is final, and what the
// worker is told.
class WorkerHandshake {
 public:
  enum class Step : uint8_t {
    // Send ChallengeOf the folders.
    kChallenge,
    // Everything is shown: join it with hello().
    kJoin,
  };

  // `folders` must outlive the handshake; without any, the hello is enough.
  WorkerHandshake(const std::vector<SharedStorage>& folders, std::string version);

  // 08P01 for a message that is not due, 55000 if the worker cannot be taken.
  absl::StatusOr<Step> OnMessage(const v1::WorkerMessage& message);
  // Valid after the first message.
  const v1::WorkerHello& hello() const { return hello_; }

 private:
  const std::vector<SharedStorage>& folders_;
  const std::string version_;
  bool has_hello_ = false;
  v1::WorkerHello hello_;
};

}  // namespace millrace
