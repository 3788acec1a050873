#include "common/types/arrow_status.h"

#include "absl/strings/string_view.h"

namespace millrace {
namespace {

SqlState StateOf(arrow::StatusCode code) {
  switch (code) {
    case arrow::StatusCode::OutOfMemory:
      return SqlState::kOutOfMemory;
    case arrow::StatusCode::CapacityError:
      return SqlState::kProgramLimitExceeded;
    case arrow::StatusCode::IOError:
      return SqlState::kIoError;
    case arrow::StatusCode::Invalid:
      return SqlState::kInvalidParameterValue;
    case arrow::StatusCode::NotImplemented:
      return SqlState::kFeatureNotSupported;
    case arrow::StatusCode::Cancelled:
      return SqlState::kQueryCanceled;
    default:
      return SqlState::kInternalError;
  }
}

}  // namespace

absl::Status FromArrow(const arrow::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return MakeError(StateOf(status.code()), status.message());
}

}  // namespace millrace
