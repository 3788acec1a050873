#include "coordinator/service/sql_service.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "coordinator/service/blocking_writer.h"
#include "coordinator/service/request_limits.h"
#include "coordinator/sql/parser.h"

namespace millrace {
namespace {

// A client that reads nothing for so long loses its statement.
constexpr std::chrono::minutes kStallTimeout(5);

using ExecuteWriter = BlockingWriter<v1::ExecuteResponse>;

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

 private:
  ExecuteWriter& writer_;
};

// From a position in the statement to one in the request's text.
absl::Status Shift(const absl::Status& status, const StatementText& statement) {
  ErrorDetail detail = GetErrorDetail(status);
  if (detail.position == 0) return status;
  detail.position += statement.begin_char - 1;
  return MakeError(detail, status.message());
}

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

absl::Status SendEnd(const StatementResult& result, ExecuteWriter& writer) {
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
  return writer.Write(std::move(response));
}

absl::Status RunAll(const v1::ExecuteRequest& request, StatementExecutor& executor,
                    ExecuteWriter& writer) {
  MR_RETURN_IF_ERROR(CheckSqlSize(request.sql()));
  ClientSink sink(writer);
  StatementContext context{{}, "", writer.cancellation(), sink, 0, 0, {}};
  for (const auto& [name, value] : request.settings()) {
    if (!value.empty()) context.settings[name] = value;
  }
  MR_ASSIGN_OR_RETURN(context.working_directory,
                      CheckWorkingDirectory(request.working_directory()));
  MR_ASSIGN_OR_RETURN(const std::vector<StatementText> statements,
                      SplitStatements(request.sql()));
  for (const StatementText& statement : statements) {
    v1::ExecuteResponse start;
    start.mutable_statement_start()->set_index(context.step);
    start.mutable_statement_start()->set_begin_byte(static_cast<uint32_t>(statement.begin_byte));
    start.mutable_statement_start()->set_end_byte(static_cast<uint32_t>(statement.end_byte));
    MR_RETURN_IF_ERROR(writer.Write(std::move(start)));
    const std::string text = request.sql().substr(
        static_cast<size_t>(statement.begin_byte),
        static_cast<size_t>(statement.end_byte - statement.begin_byte));
    absl::StatusOr<StatementResult> result = executor.Execute(text, context);
    ++context.step;
    if (result.ok()) {
      MR_RETURN_IF_ERROR(SendEnd(*result, writer));
      continue;
    }
    const absl::Status error = Shift(result.status(), statement);
    if (!request.keep_going() || writer.cancellation().cancelled()) return error;
    MR_RETURN_IF_ERROR(writer.Write(ErrorResponse(error)));
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerWriteReactor<v1::ExecuteResponse>* SqlService::Execute(
    grpc::CallbackServerContext*, const v1::ExecuteRequest* request) {
  auto writer = std::make_shared<ExecuteWriter>(kStallTimeout);
  grpc::ServerWriteReactor<v1::ExecuteResponse>* reactor = writer->Begin();
  const absl::Status started =
      threads_.Run([this, writer, copy = std::make_shared<v1::ExecuteRequest>(*request)] {
        writer->End(RunAll(*copy, executor_, *writer));
      });
  if (!started.ok()) writer->End(started);
  return reactor;
}

}  // namespace millrace
