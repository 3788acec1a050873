#include "coordinator/service/stream_statements.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/service/view_progress.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

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
  const auto done = [mode, wanted, tables = moment_.catalog,
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
  MR_RETURN_IF_ERROR(parts_.streams.WaitUntil(statement.view->job_id(), done,
                                              statement.timeout_micros, context_.cancellation));
  return Done("CALL");
}

}  // namespace millrace
