#include "common/base/status.h"

#include <array>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "millrace/v1/error.pb.h"

namespace millrace {
namespace {

constexpr absl::string_view kPayloadUrl = "type.googleapis.com/millrace.v1.ErrorDetail";

struct StateRow {
  SqlState state;
  const char* code;
  absl::StatusCode status_code;
  Blame blame;
};

using absl::StatusCode;

// One row per enumerator, in the enum's order.
constexpr StateRow kStates[] = {
    {SqlState::kSyntaxError, "42601", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kUndefinedColumn, "42703", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kUndefinedTable, "42P01", StatusCode::kNotFound, Blame::kUser},
    {SqlState::kUndefinedFunction, "42883", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kUndefinedObject, "42704", StatusCode::kNotFound, Blame::kUser},
    {SqlState::kUndefinedSchema, "3F000", StatusCode::kNotFound, Blame::kUser},
    {SqlState::kAmbiguousColumn, "42702", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kAmbiguousFunction, "42725", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kDuplicateTable, "42P07", StatusCode::kAlreadyExists, Blame::kUser},
    {SqlState::kDuplicateColumn, "42701", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kDuplicateAlias, "42712", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kDuplicateObject, "42710", StatusCode::kAlreadyExists, Blame::kUser},
    {SqlState::kGroupingError, "42803", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kWindowingError, "42P20", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kDatatypeMismatch, "42804", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kCannotCoerce, "42846", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kIndeterminateDatatype, "42P18", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kUndefinedParameter, "42P02", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidTableDefinition, "42P16", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidColumnDefinition, "42611", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidColumnReference, "42P10", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kWrongObjectType, "42809", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidName, "42602", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kNameTooLong, "42622", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kNumericOutOfRange, "22003", StatusCode::kOutOfRange, Blame::kUser},
    {SqlState::kDivisionByZero, "22012", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidTextRepresentation, "22P02", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kDatetimeOverflow, "22008", StatusCode::kOutOfRange, Blame::kUser},
    {SqlState::kIntervalFieldOverflow, "22015", StatusCode::kOutOfRange, Blame::kUser},
    {SqlState::kInvalidDatetimeFormat, "22007", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidTimeZoneDisplacement, "22009", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidParameterValue, "22023", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidFrameOffset, "22013", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidArgumentForNtile, "22014", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidArgumentForNthValue, "22016", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidEscapeSequence, "22025", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidEscapeCharacter, "22019", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidUseOfEscapeCharacter, "2200C", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidRegularExpression, "2201B", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidRowCountInLimit, "2201W", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidRowCountInOffset, "2201X", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidArgumentForLog, "2201E", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidArgumentForPower, "2201F", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kInvalidArgumentForWidthBucket, "2201G", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kSubstringError, "22011", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kStringDataRightTruncation, "22001", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kCharacterNotInRepertoire, "22021", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kUntranslatableCharacter, "22P05", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kNullValueNotAllowed, "22004", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kBadCopyFileFormat, "22P04", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kNotNullViolation, "23502", StatusCode::kFailedPrecondition, Blame::kUser},
    {SqlState::kUniqueViolation, "23505", StatusCode::kAlreadyExists, Blame::kUser},
    {SqlState::kCheckViolation, "23514", StatusCode::kFailedPrecondition, Blame::kUser},
    {SqlState::kCardinalityViolation, "21000", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kDependentObjects, "2BP01", StatusCode::kFailedPrecondition, Blame::kUser},
    {SqlState::kFeatureNotSupported, "0A000", StatusCode::kUnimplemented, Blame::kUser},
    {SqlState::kStatementTooComplex, "54001", StatusCode::kResourceExhausted, Blame::kUser},
    {SqlState::kProgramLimitExceeded, "54000", StatusCode::kResourceExhausted, Blame::kUser},
    {SqlState::kTooManyColumns, "54011", StatusCode::kResourceExhausted, Blame::kUser},
    {SqlState::kTooManyArguments, "54023", StatusCode::kResourceExhausted, Blame::kUser},
    {SqlState::kOutOfMemory, "53200", StatusCode::kResourceExhausted, Blame::kUser},
    {SqlState::kDiskFull, "53100", StatusCode::kResourceExhausted, Blame::kExternal},
    {SqlState::kInsufficientResources, "53000", StatusCode::kResourceExhausted, Blame::kExternal},
    {SqlState::kQueryCanceled, "57014", StatusCode::kCancelled, Blame::kUser},
    {SqlState::kCannotConnectNow, "57P03", StatusCode::kUnavailable, Blame::kExternal},
    {SqlState::kObjectInUse, "55006", StatusCode::kFailedPrecondition, Blame::kUser},
    {SqlState::kObjectNotInPrerequisiteState, "55000", StatusCode::kFailedPrecondition,
     Blame::kUser},
    {SqlState::kInsufficientPrivilege, "42501", StatusCode::kPermissionDenied, Blame::kUser},
    {SqlState::kConnectionFailure, "08006", StatusCode::kUnavailable, Blame::kExternal},
    {SqlState::kIoError, "58030", StatusCode::kUnknown, Blame::kExternal},
    {SqlState::kUndefinedFile, "58P01", StatusCode::kNotFound, Blame::kUser},
    {SqlState::kConfigFileError, "F0000", StatusCode::kInvalidArgument, Blame::kUser},
    {SqlState::kProtocolViolation, "08P01", StatusCode::kInvalidArgument, Blame::kExternal},
    {SqlState::kSerializationFailure, "40001", StatusCode::kAborted, Blame::kExternal},
    {SqlState::kInternalError, "XX000", StatusCode::kInternal, Blame::kInternal},
    {SqlState::kDataCorrupted, "XX001", StatusCode::kDataLoss, Blame::kExternal},
};
static_assert(std::size(kStates) == static_cast<size_t>(SqlState::kDataCorrupted) + 1);

const StateRow& RowOf(SqlState state) { return kStates[static_cast<size_t>(state)]; }

Retry RetryOf(SqlState state) {
  const StatusCode code = RowOf(state).status_code;
  const bool safe = code == StatusCode::kUnavailable || code == StatusCode::kAborted;
  return safe ? Retry::kSafe : Retry::kNever;
}

// For statuses of libraries that were passed on without a detail.
SqlState StateFromStatusCode(StatusCode code) {
  switch (code) {
    case StatusCode::kCancelled:
      return SqlState::kQueryCanceled;
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
      return SqlState::kConnectionFailure;
    case StatusCode::kUnimplemented:
      return SqlState::kFeatureNotSupported;
    case StatusCode::kResourceExhausted:
      return SqlState::kInsufficientResources;
    case StatusCode::kNotFound:
      return SqlState::kUndefinedObject;
    case StatusCode::kInvalidArgument:
      return SqlState::kInvalidParameterValue;
    case StatusCode::kAborted:
      return SqlState::kSerializationFailure;
    case StatusCode::kDataLoss:
      return SqlState::kDataCorrupted;
    default:
      return SqlState::kInternalError;
  }
}

void SetDetail(absl::Status& status, const ErrorDetail& detail) {
  v1::ErrorDetail wire;
  wire.set_sqlstate(std::string(SqlStateCode(detail.state)));
  wire.set_position(detail.position);
  wire.set_hint(detail.hint);
  wire.set_blame(static_cast<v1::Blame>(detail.blame));
  wire.set_retry(static_cast<v1::Retry>(detail.retry));
  status.SetPayload(kPayloadUrl, absl::Cord(wire.SerializeAsString()));
}

}  // namespace

absl::string_view SqlStateCode(SqlState state) { return RowOf(state).code; }

SqlState SqlStateFromCode(absl::string_view code) {
  for (const StateRow& row : kStates) {
    if (code == row.code) return row.state;
  }
  return SqlState::kInternalError;
}

absl::Status MakeError(const ErrorDetail& detail, absl::string_view message) {
  absl::Status status(RowOf(detail.state).status_code, message);
  SetDetail(status, detail);
  return status;
}

absl::Status MakeError(SqlState state, absl::string_view message) {
  return MakeError(state, message, "");
}

absl::Status MakeError(SqlState state, absl::string_view message, absl::string_view hint) {
  ErrorDetail detail;
  detail.state = state;
  detail.hint = std::string(hint);
  detail.blame = RowOf(state).blame;
  detail.retry = RetryOf(state);
  return MakeError(detail, message);
}

absl::Status NotSupported(absl::string_view what) {
  return MakeError(SqlState::kFeatureNotSupported, absl::StrCat(what, " is not supported"));
}

absl::Status InternalError(absl::string_view message) {
  return MakeError(SqlState::kInternalError, message);
}

ErrorDetail GetErrorDetail(const absl::Status& status) {
  ErrorDetail detail;
  if (auto payload = status.GetPayload(kPayloadUrl)) {
    v1::ErrorDetail wire;
    if (wire.ParseFromString(std::string(*payload))) {
      detail.state = SqlStateFromCode(wire.sqlstate());
      detail.position = wire.position();
      detail.hint = wire.hint();
      detail.blame = static_cast<Blame>(wire.blame());
      detail.retry = static_cast<Retry>(wire.retry());
      return detail;
    }
  }
  detail.state = StateFromStatusCode(status.code());
  detail.blame = RowOf(detail.state).blame;
  detail.retry = RetryOf(detail.state);
  return detail;
}

absl::Status WithPosition(absl::Status status, int32_t position) {
  if (status.ok()) return status;
  ErrorDetail detail = GetErrorDetail(status);
  if (detail.position == 0) detail.position = position;
  SetDetail(status, detail);
  return status;
}

absl::Status WithHint(absl::Status status, absl::string_view hint) {
  if (status.ok()) return status;
  ErrorDetail detail = GetErrorDetail(status);
  detail.hint = std::string(hint);
  SetDetail(status, detail);
  return status;
}

absl::Status WithContext(absl::Status status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status wrapped(status.code(), absl::StrCat(context, ": ", status.message()));
  SetDetail(wrapped, GetErrorDetail(status));
  return wrapped;
}

}  // namespace millrace
