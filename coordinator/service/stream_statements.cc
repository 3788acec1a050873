#include "coordinator/service/stream_statements.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/service/view_progress.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// How often a checkpoint is asked for again.
constexpr int64_t kAskAgainMicros = 1'000'000;

}  // namespace

absl::StatusOr<StatementResult> StreamStatements::StartAlone(
    StreamGroup& group, absl::StatusOr<StatementResult> added) {
  if (!added.ok() || group.empty()) return added;
  MR_RETURN_IF_ERROR(group.Start(moment_, [&] { return RecordOf(context_, *added); }));
  return added;
}

absl::StatusOr<StatementResult> StreamStatements::CreateMaterializedView(
    const BoundCreateView& statement) {
  StreamGroup group(parts_, context_);
  return StartAlone(group,
                    group.AddView(statement, {text_, context_.step, moment_, context_.sink}));
}

absl::StatusOr<StatementResult> StreamStatements::InsertStream(const BoundInsert& statement) {
  StreamGroup group(parts_, context_);
  return StartAlone(group,
                    group.AddInsert(statement, {text_, context_.step, moment_, context_.sink}));
}

absl::StatusOr<StatementResult> StreamStatements::Flush() {
  MR_RETURN_IF_ERROR(parts_.streams.Flush(context_.cancellation));
  return Done("FLUSH");
}

absl::StatusOr<StatementResult> StreamStatements::WaitFor(const BoundWaitFor& statement) {
  const auto* number = std::get_if<int64_t>(&statement.value.value);
  if (statement.mode != "complete" && number == nullptr) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("wait_for needs a value for mode '", statement.mode, "'"));
  }
  const std::string mode = statement.mode;
  const int64_t wanted = number != nullptr ? *number : 0;
  const auto reached = [mode, wanted, tables = moment_.catalog,
                        view = statement.view](const StreamView& stream) -> absl::StatusOr<bool> {
    if (stream.published.empty()) return false;
    const ViewProgress progress = ViewProgressOf(stream, view->id(), *tables);
    if (mode == "complete") return progress.complete;
    if (mode == "watermark") {
      return progress.complete || progress.watermark_micros.value_or(INT64_MIN) >= wanted;
    }
    if (progress.rows >= static_cast<uint64_t>(wanted)) return true;
    if (!progress.complete || progress.may_grow) return false;
    return MakeError(SqlState::kObjectNotInPrerequisiteState,
                     absl::StrCat("the input of ", view->name(), " has ended after ", progress.rows,
                                  " rows, not ", wanted));
  };
  // A script waits until the job is restarted.
  const bool in_a_script = context_.parent_job_id != 0;
  const auto done = [&](const StreamView& stream) -> absl::StatusOr<bool> {
    MR_ASSIGN_OR_RETURN(const bool now, reached(stream));
    if (now || in_a_script || !stream.stopped || stream.published.empty()) return now;
    return MakeError(SqlState::kObjectNotInPrerequisiteState,
                     absl::StrCat("the job of ", statement.view->name(), " was stopped"),
                     "restart it with millrace job restart, then wait again");
  };
  MR_RETURN_IF_ERROR(WaitUntilDurable(statement, done));
  return Done("CALL");
}

absl::Status StreamStatements::WaitUntilDurable(const BoundWaitFor& statement,
                                                const StreamJobs::Condition& done) {
  const uint64_t job_id = statement.view->job_id();
  const int64_t began_micros = parts_.clock.MonotonicMicros();
  MR_RETURN_IF_ERROR(
      parts_.streams.WaitUntil(job_id, done, statement.timeout_micros, context_.cancellation));
  // Where it was first seen to hold. Another attempt may begin before it.
  uint32_t attempt = 0;
  uint64_t epoch = 0;
  const auto durable = [&](const StreamView& stream) -> absl::StatusOr<bool> {
    MR_ASSIGN_OR_RETURN(const bool holds, done(stream));
    if (!holds) {
      epoch = 0;
      return false;
    }
    if (epoch == 0 || attempt != stream.attempt) epoch = stream.published.back().epoch;
    attempt = stream.attempt;
    return stream.phase == StreamPhase::kServing || stream.durable_epoch >= epoch;
  };
  while (true) {
    // A new attempt has forgotten it.
    parts_.streams.WantCheckpoint(job_id);
    const int64_t left_micros =
        statement.timeout_micros - (parts_.clock.MonotonicMicros() - began_micros);
    const absl::Status waited = parts_.streams.WaitUntil(
        job_id, durable, std::clamp<int64_t>(left_micros, 0, kAskAgainMicros),
        context_.cancellation);
    const bool asked_long_enough = GetErrorDetail(waited).state == SqlState::kQueryCanceled;
    if (waited.ok() || !asked_long_enough || left_micros <= kAskAgainMicros) return waited;
    MR_RETURN_IF_ERROR(context_.cancellation.status());
  }
}

}  // namespace millrace
