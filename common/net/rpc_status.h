#pragma once

#include "absl/status/status.h"

namespace grpc {
class Status;
}  // namespace grpc

namespace millrace {

namespace v1 {
class Error;
}  // namespace v1

// The one pair of functions between our statuses and gRPC's. The ErrorDetail travels as a detail of
// google.rpc.Status. Clients take 8 KiB of trailers and turn what is longer into an error of their
// own: messages of more than 2 KiB and hints of more than 768 bytes are cut, and gRPC's own message
// after 512 bytes.
grpc::Status ToGrpcStatus(const absl::Status& status);
// A status that carries no detail gets one that follows from its code; UNAVAILABLE is 08006.
absl::Status FromGrpcStatus(const grpc::Status& status);

// An error inside another message; messages and hints of more than 4 KiB are cut. OK has no Error;
// an empty Error is an internal error.
void ToProto(const absl::Status& status, v1::Error* out);
absl::Status FromProto(const v1::Error& error);

}  // namespace millrace
