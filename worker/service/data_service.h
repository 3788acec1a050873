#pragma once

#include "millrace/v1/data.grpc.pb.h"
#include "worker/exchange/channel_registry.h"
#include "worker/service/attempt_manager.h"

namespace millrace {

// The worker's gRPC service for other workers (Exchange) and the coordinator (FetchResult). Both
// carry their bodies as raw bytes.
class DataService final
    : public v1::DataService::WithRawCallbackMethod_Exchange<
          v1::DataService::WithRawCallbackMethod_FetchResult<v1::DataService::Service>> {
 public:
  // Both outlive the server.
  DataService(ChannelRegistry& channels, AttemptManager& attempts)
      : channels_(channels), attempts_(attempts) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Exchange(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* FetchResult(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request) override;

 private:
  ChannelRegistry& channels_;
  AttemptManager& attempts_;
};

}  // namespace millrace
