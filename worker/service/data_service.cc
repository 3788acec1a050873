#include "worker/service/data_service.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/data.pb.h"
#include "worker/exchange/exchange_receiver.h"
#include "worker/service/result_reader.h"

namespace millrace {

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* DataService::Exchange(
    grpc::CallbackServerContext*) {
  return ExchangeReceiver::Start(channels_);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* DataService::FetchResult(
    grpc::CallbackServerContext*, const grpc::ByteBuffer* request) {
  v1::FetchResultRequest proto;
  grpc::ByteBuffer bytes(*request);
  grpc::ProtoBufferReader reader(&bytes);
  if (!proto.ParseFromZeroCopyStream(&reader)) {
    return ResultReader::Refuse(
        MakeError(SqlState::kProtocolViolation, "damaged FetchResult request"));
  }
  std::shared_ptr<arrow::Schema> schema;
  auto queue = attempts_.FindResult(proto.job_id(), proto.attempt(), proto.fragment(),
                                    proto.task_index(), &schema);
  if (queue == nullptr) {
    return ResultReader::Refuse(
        MakeError(SqlState::kObjectNotInPrerequisiteState,
                  absl::StrCat("no result of task ", proto.fragment(), ".", proto.task_index(),
                               " of job ", proto.job_id(), " is here")));
  }
  return ResultReader::Start(std::move(queue), std::move(schema),
                             [this, job = proto.job_id(), attempt = proto.attempt()] {
                               attempts_.OnResultRead(job, attempt);
                             });
}

}  // namespace millrace
