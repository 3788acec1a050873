#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Errors of Millrace. Every error that can reach a user is an absl::Status made by MakeError; its
// payload carries what a client, the scheduler and a person need beyond the text. Decisions are
// made from SqlState, Blame and Retry, never from the message.

namespace millrace {

// Who has to act. kUser: the statement or its input; kExternal: a disk, a broker, another process;
// kInternal: a defect of Millrace.
enum class Blame : uint8_t { kUser = 1, kExternal = 2, kInternal = 3 };

// Whether doing the same again can help.
enum class Retry : uint8_t { kNever = 1, kSafe = 2 };

// The PostgreSQL error classes that Millrace uses; SqlStateCode() gives the five characters.
enum class SqlState : uint8_t {
  kSyntaxError,                    // 42601
  kUndefinedColumn,                // 42703
  kUndefinedTable,                 // 42P01
  kUndefinedFunction,              // 42883
  kUndefinedObject,                // 42704
  kUndefinedSchema,                // 3F000
  kAmbiguousColumn,                // 42702
  kAmbiguousFunction,              // 42725
  kDuplicateTable,                 // 42P07
  kDuplicateColumn,                // 42701
  kDuplicateAlias,                 // 42712
  kDuplicateObject,                // 42710
  kGroupingError,                  // 42803
  kWindowingError,                 // 42P20
  kDatatypeMismatch,               // 42804
  kCannotCoerce,                   // 42846
  kIndeterminateDatatype,          // 42P18
  kUndefinedParameter,             // 42P02
  kInvalidTableDefinition,         // 42P16
  kInvalidColumnDefinition,        // 42611
  kInvalidColumnReference,         // 42P10
  kWrongObjectType,                // 42809
  kInvalidName,                    // 42602
  kNameTooLong,                    // 42622
  kNumericOutOfRange,              // 22003
  kDivisionByZero,                 // 22012
  kInvalidTextRepresentation,      // 22P02
  kDatetimeOverflow,               // 22008
  kIntervalFieldOverflow,          // 22015
  kInvalidDatetimeFormat,          // 22007
  kInvalidTimeZoneDisplacement,    // 22009
  kInvalidParameterValue,          // 22023
  kInvalidFrameOffset,             // 22013
  kInvalidArgumentForNtile,        // 22014
  kInvalidArgumentForNthValue,     // 22016
  kInvalidEscapeSequence,          // 22025
  kInvalidEscapeCharacter,         // 22019
  kInvalidUseOfEscapeCharacter,    // 2200C
  kInvalidRegularExpression,       // 2201B
  kInvalidRowCountInLimit,         // 2201W
  kInvalidRowCountInOffset,        // 2201X
  kInvalidArgumentForLog,          // 2201E
  kInvalidArgumentForPower,        // 2201F
  kInvalidArgumentForWidthBucket,  // 2201G
  kSubstringError,                 // 22011
  kStringDataRightTruncation,      // 22001
  kCharacterNotInRepertoire,       // 22021
  kUntranslatableCharacter,        // 22P05
  kNullValueNotAllowed,            // 22004
  kBadCopyFileFormat,              // 22P04
  kNotNullViolation,               // 23502
  kUniqueViolation,                // 23505
  kCheckViolation,                 // 23514
  kCardinalityViolation,           // 21000
  kDependentObjects,               // 2BP01
  kFeatureNotSupported,            // 0A000
  kStatementTooComplex,            // 54001
  kProgramLimitExceeded,           // 54000
  kTooManyColumns,                 // 54011
  kTooManyArguments,               // 54023
  kOutOfMemory,                    // 53200
  kDiskFull,                       // 53100
  kInsufficientResources,          // 53000
  kQueryCanceled,                  // 57014
  kCannotConnectNow,               // 57P03
  kObjectInUse,                    // 55006
  kObjectNotInPrerequisiteState,   // 55000
  kInsufficientPrivilege,          // 42501
  kConnectionFailure,              // 08006
  kIoError,                        // 58030
  kUndefinedFile,                  // 58P01
  kConfigFileError,                // F0000
  kProtocolViolation,              // 08P01
  kSerializationFailure,           // 40001
  kInternalError,                  // XX000
  kDataCorrupted,                  // XX001
};

// The five-character SQLSTATE, for example "22012".
absl::string_view SqlStateCode(SqlState state);
// The inverse; kInternalError for a code that is not in the enum.
SqlState SqlStateFromCode(absl::string_view code);

// What a status carries beside its message.
struct ErrorDetail {
  SqlState state = SqlState::kInternalError;
  // 1-based character in the statement's text where the error lies; 0 = unknown.
  int32_t position = 0;
  // What to do about it; empty when there is nothing to say.
  std::string hint;
  Blame blame = Blame::kInternal;
  Retry retry = Retry::kNever;
};

// An error with its detail. Blame and the absl code follow from `state`. Message: no period at the
// end.
absl::Status MakeError(SqlState state, absl::string_view message);
absl::Status MakeError(SqlState state, absl::string_view message, absl::string_view hint);
absl::Status MakeError(const ErrorDetail& detail, absl::string_view message);

// Shorthand for the two most frequent.
absl::Status NotSupported(absl::string_view what);  // "<what> is not supported", 0A000
absl::Status InternalError(absl::string_view message);

// The detail of any non-OK status; a status that was not made by MakeError gets one that follows
// from its code.
ErrorDetail GetErrorDetail(const absl::Status& status);

// The same error with a position / hint; a position that is already set is kept. OK stays OK.
absl::Status WithPosition(absl::Status status, int32_t position);
absl::Status WithHint(absl::Status status, absl::string_view hint);
// Prefixes the message: "<context>: <message>". Payload kept. One context per layer.
absl::Status WithContext(absl::Status status, absl::string_view context);

}  // namespace millrace

#define MR_CONCAT_INNER_(a, b) a##b
#define MR_CONCAT_(a, b) MR_CONCAT_INNER_(a, b)

// Returns from the enclosing function when `expr` (a Status) is not OK.
#define MR_RETURN_IF_ERROR(expr)                              \
  do {                                                        \
    if (absl::Status mr_status_ = (expr); !mr_status_.ok()) { \
      return mr_status_;                                      \
    }                                                         \
  } while (false)

#define MR_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                              \
  if (!tmp.ok()) {                                \
    return std::move(tmp).status();               \
  }                                               \
  lhs = std::move(tmp).value()

// MR_ASSIGN_OR_RETURN(auto x, F()); returns F's status when it is not OK.
#define MR_ASSIGN_OR_RETURN(lhs, expr) \
  MR_ASSIGN_OR_RETURN_IMPL_(MR_CONCAT_(mr_statusor_, __LINE__), lhs, expr)
