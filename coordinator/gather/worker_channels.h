#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace millrace {

// Connections to the data services of workers, opened when they are first asked for and then kept.
// Thread-safe.
class WorkerChannels {
 public:
  WorkerChannels();
  ~WorkerChannels();

  std::shared_ptr<grpc::Channel> Get(const std::string& address);
  // Closes the connection once its calls have ended; for lost workers.
  void Forget(const std::string& address);

 private:
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
