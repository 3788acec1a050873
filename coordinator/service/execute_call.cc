#include "coordinator/service/execute_call.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "coordinator/service/request_limits.h"
#include "coordinator/sql/parser.h"

namespace millrace {
namespace {

// The result messages of one statement.
class ClientSink final : public ResultSink {
 public:
  explicit ClientSink(ExecuteWriter& writer) : writer_(writer) {}

  absl::Status WriteSchema(const v1::Schema& schema, std::string ipc_message) override {
    v1::ExecuteResponse response;
    *response.mutable_schema()->mutable_schema() = schema;
    response.mutable_schema()->set_ipc_message(std::move(ipc_message));
    return writer_.Write(std::move(response));
  }
  absl::Status WriteBatch(std::string ipc_message, uint64_t rows) override {
    v1::ExecuteResponse response;
    response.mutable_batch()->set_ipc_message(std::move(ipc_message));
    response.mutable_batch()->set_rows(rows);
    return writer_.Write(std::move(response));
  }
  absl::Status Notice(absl::string_view message, absl::string_view hint) override {
    v1::ExecuteResponse response;
    response.mutable_notice()->set_message(std::string(message));
    response.mutable_notice()->set_hint(std::string(hint));
    return writer_.Write(std::move(response));
  }
  void Progress(uint64_t rows_read) override {
    v1::ExecuteResponse response;
    response.mutable_progress()->set_rows_read(rows_read);
    // A broken stream shows at the next message that matters.
    writer_.Write(std::move(response)).IgnoreError();
  }
  bool drops_rows() const override { return false; }

 private:
  ExecuteWriter& writer_;
};

v1::ExecuteResponse ErrorResponse(const absl::Status& status) {
  v1::ExecuteResponse response;
  const ErrorDetail detail = GetErrorDetail(status);
  v1::StatementError& error = *response.mutable_error();
  error.set_code(static_cast<int32_t>(status.code()));
  error.set_message(std::string(status.message()));
  error.set_sqlstate(std::string(SqlStateCode(detail.state)));
  error.set_position(detail.position);
  error.set_hint(detail.hint);
  return response;
}

absl::Status SendEnd(const StatementResult& result, Leaves leaves, ExecuteWriter& writer) {
  for (const auto& [name, value] : result.settings) {
    v1::ExecuteResponse changed;
    changed.mutable_setting_changed()->set_name(name);
    // An empty value is the default again: the client sends the setting no more.
    changed.mutable_setting_changed()->set_value(value.value_or(""));
    MR_RETURN_IF_ERROR(writer.Write(std::move(changed)));
  }
  v1::ExecuteResponse response;
  v1::StatementEnd& end = *response.mutable_statement_end();
  end.set_tag(result.tag);
  end.set_rows(result.rows);
  if (result.stream_job_id != 0) end.set_job_id(std::to_string(result.stream_job_id));
  return writer.Write(std::move(response), leaves);
}

}  // namespace

ExecuteCall::ExecuteCall(v1::ExecuteRequest request, StatementExecutor& executor,
                         RequestMemory& requests, ExecuteWriter& writer)
    : request_(std::move(request)), executor_(executor), requests_(requests), writer_(writer) {}

absl::Status ExecuteCall::Run() {
  MR_RETURN_IF_ERROR(CheckSqlSize(request_.sql()));
  MR_RETURN_IF_ERROR(
      requests_.Begin(request_.request_id(), request_.sql(), request_.working_directory()));
  const absl::Status status = RunStatements();
  requests_.End(request_.request_id());
  return status;
}

absl::Status ExecuteCall::RunStatements() {
  MR_ASSIGN_OR_RETURN(working_directory_, CheckWorkingDirectory(request_.working_directory()));
  for (const auto& [name, value] : request_.settings()) {
    if (!value.empty()) settings_[name] = value;
  }
  MR_ASSIGN_OR_RETURN(const std::vector<StatementText> statements, SplitStatements(request_.sql()));
  std::vector<std::string> texts;
  for (const StatementText& statement : statements) {
    texts.push_back(
        request_.sql().substr(static_cast<size_t>(statement.begin_byte),
                              static_cast<size_t>(statement.end_byte - statement.begin_byte)));
  }
  const absl::Span<const std::string> all = texts;
  while (index_ < all.size()) {
    MR_RETURN_IF_ERROR(SendStart(statements[index_]));
    const uint32_t first = index_;
    const RunOutcome run = RunFrom(all.subspan(first));
    if (run.failed.has_value() && (!request_.keep_going() || writer_.cancellation().cancelled())) {
      index_ = first + static_cast<uint32_t>(*run.failed);
      if (index_ != first) MR_RETURN_IF_ERROR(SendStart(statements[index_]));
      return InScript(run.results[*run.failed].status(), statements[index_]);
    }
    for (const absl::StatusOr<StatementResult>& result : run.results) {
      if (index_ != first) MR_RETURN_IF_ERROR(SendStart(statements[index_]));
      // The end of the call follows the last one at once.
      const bool last = index_ + 1 == all.size();
      MR_RETURN_IF_ERROR(
          SendOutcome(result, statements[index_], last ? Leaves::kWithNext : Leaves::kNow));
      ++index_;
    }
  }
  return absl::OkStatus();
}

absl::Status ExecuteCall::SendStart(const StatementText& statement) {
  v1::ExecuteResponse start;
  start.mutable_statement_start()->set_index(index_);
  start.mutable_statement_start()->set_begin_byte(static_cast<uint32_t>(statement.begin_byte));
  start.mutable_statement_start()->set_end_byte(static_cast<uint32_t>(statement.end_byte));
  return writer_.Write(std::move(start));
}

absl::Status ExecuteCall::SendOutcome(const absl::StatusOr<StatementResult>& result,
                                      const StatementText& statement, Leaves leaves) {
  if (!result.ok()) return writer_.Write(ErrorResponse(InScript(result.status(), statement)));
  for (const auto& [message, hint] : result->notices) {
    v1::ExecuteResponse response;
    response.mutable_notice()->set_message(message);
    response.mutable_notice()->set_hint(hint);
    MR_RETURN_IF_ERROR(writer_.Write(std::move(response)));
  }
  return SendEnd(*result, leaves, writer_);
}

RunOutcome ExecuteCall::RunFrom(absl::Span<const std::string> statements) {
  const std::string& request_id = request_.request_id();
  RunOutcome run;
  if (std::optional<StatementResult> before = requests_.Find(request_id, index_)) {
    run.results.push_back(*std::move(before));
  } else {
    ClientSink sink(writer_);
    // Its own, because a statement's timeout ends the statement and not the call.
    Cancellation cancellation;
    Cancellation::Registration with_call(
        writer_.cancellation(),
        [&cancellation](const absl::Status& reason) { cancellation.Cancel(reason); });
    StatementContext context{settings_, working_directory_, cancellation, sink, 0, index_, {}};
    RunOptions options;
    options.keep_going = request_.keep_going();
    options.find = [&](size_t offset) { return requests_.Find(request_id, At(offset)); };
    options.record_of = [&](size_t offset, const StatementResult& result) {
      return requests_.RecordOf(request_id, At(offset), result);
    };
    run = executor_.ExecuteRun(statements, context, options);
    for (size_t i = 0; i < run.results.size(); ++i) {
      if (!run.results[i].ok()) continue;
      const absl::Status recorded = requests_.Done(request_id, At(i), *run.results[i]);
      if (recorded.ok() || run.failed.has_value()) continue;
      run.results[i] = recorded;
      run.failed = i;
    }
  }
  if (run.results[0].ok()) KeepSettings(*run.results[0]);
  return run;
}

void ExecuteCall::KeepSettings(const StatementResult& result) {
  for (const auto& [name, value] : result.settings) {
    if (value.has_value()) {
      settings_[name] = *value;
    } else {
      settings_.erase(name);
    }
  }
}

}  // namespace millrace
