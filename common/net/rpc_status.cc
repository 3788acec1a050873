#include "common/net/rpc_status.h"

#include <grpcpp/support/status.h>

#include <string>

#include "absl/strings/string_view.h"
#include "common/base/status.h"
#include "millrace/v1/error.pb.h"
#include "millrace/v1/rpc_status.pb.h"

namespace millrace {
namespace {

// Trailers: the details are sent in base64, 4 bytes for 3, and gRPC's own message with 3 bytes for
// each that is not printable ASCII.
constexpr size_t kDetailMessageBytesMax = 2048;
constexpr size_t kDetailHintBytesMax = 768;
constexpr size_t kPlainMessageBytesMax = 512;
// Within messages.
constexpr size_t kBytesMax = 4096;

std::string Shortened(absl::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  size_t end = bytes_max;
  // Not in the middle of a UTF-8 sequence: gRPC percent-encodes, but protobuf refuses broken
  // strings.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

void DetailToProto(const ErrorDetail& detail, size_t hint_bytes_max, v1::ErrorDetail* out) {
  out->set_sqlstate(std::string(SqlStateCode(detail.state)));
  out->set_position(detail.position);
  out->set_hint(Shortened(detail.hint, hint_bytes_max));
  out->set_blame(static_cast<v1::Blame>(detail.blame));
  out->set_retry(static_cast<v1::Retry>(detail.retry));
}

ErrorDetail DetailFromProto(const v1::ErrorDetail& wire) {
  ErrorDetail detail;
  detail.state = SqlStateFromCode(wire.sqlstate());
  detail.position = wire.position();
  detail.hint = wire.hint();
  detail.blame = static_cast<Blame>(wire.blame());
  detail.retry = static_cast<Retry>(wire.retry());
  return detail;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  v1::ErrorDetail detail;
  DetailToProto(GetErrorDetail(status), kDetailHintBytesMax, &detail);
  v1::RpcStatus rich;
  rich.set_code(static_cast<int>(status.code()));
  rich.set_message(Shortened(status.message(), kDetailMessageBytesMax));
  rich.add_details()->PackFrom(detail);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      Shortened(status.message(), kPlainMessageBytesMax), rich.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  v1::RpcStatus rich;
  v1::ErrorDetail detail;
  if (rich.ParseFromString(status.error_details()) && rich.details_size() > 0 &&
      rich.details(0).UnpackTo(&detail)) {
    return MakeError(DetailFromProto(detail), rich.message());
  }
  absl::Status plain(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  return MakeError(GetErrorDetail(plain), status.error_message());
}

void ToProto(const absl::Status& status, v1::Error* out) {
  out->set_message(Shortened(status.message(), kBytesMax));
  DetailToProto(GetErrorDetail(status), kBytesMax, out->mutable_detail());
}

absl::Status FromProto(const v1::Error& error) {
  return MakeError(DetailFromProto(error.detail()), error.message());
}

}  // namespace millrace
