#include "client/cli/statement_runner.h"

#include <arrow/record_batch.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/cli/error_text.h"
#include "common/base/status.h"

namespace millrace {

class StatementRunner::Handler final : public StatementHandler {
 public:
  explicit Handler(StatementRunner& runner) : runner_(runner) {}

  void OnStatementStart(uint32_t, uint32_t, uint32_t) override {}

  absl::Status OnSchema(const Schema& schema) override {
    ClearProgress();
    EndResultSet();
    // Printed with the first rows or at the end: a statement that fails before that prints its
    // error only.
    has_schema_ = true;
    schema_ = schema;
    return absl::OkStatus();
  }

  absl::Status OnBatch(std::shared_ptr<arrow::RecordBatch> batch) override {
    ClearProgress();
    BeginResultSet();
    runner_.printer_->Write(*batch);
    return WriteStatus();
  }

  void OnNotice(const std::string& message, const std::string& hint) override {
    ClearProgress();
    std::fprintf(stderr, "NOTICE: %s\n", message.c_str());
    if (!hint.empty()) std::fprintf(stderr, "HINT: %s\n", hint.c_str());
  }

  absl::Status OnStatementEnd(const std::string& tag, uint64_t rows,
                              const std::string& job_id) override {
    ClearProgress();
    const bool had_rows = has_schema_;
    EndResultSet();
    if (runner_.options_.show_tags && !had_rows) {
      std::fprintf(stderr, "%s", tag.c_str());
      if (rows > 0) std::fprintf(stderr, " %llu", static_cast<unsigned long long>(rows));
      if (!job_id.empty()) std::fprintf(stderr, " (job %s)", job_id.c_str());
      std::fprintf(stderr, "\n");
    }
    return WriteStatus();
  }

  absl::Status OnStatementError(const absl::Status& error) override {
    ClearProgress();
    AbandonResultSet();
    failed_ = true;
    // On stdout, in the place of the statement's rows, so that a log of a whole script can be
    // compared.
    std::printf("ERROR %s: %s\n", std::string(SqlStateCode(GetErrorDetail(error).state)).c_str(),
                std::string(error.message()).c_str());
    std::fflush(stdout);
    return absl::OkStatus();
  }

  void OnSettingChanged(const std::string& name, const std::string& value) override {
    if (value.empty()) {
      runner_.settings_.erase(name);
    } else {
      runner_.settings_[name] = value;
    }
  }

  void OnProgress(uint64_t rows_read, double) override {
    if (isatty(STDERR_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) return;
    std::fprintf(stderr, "\r%llu rows read ", static_cast<unsigned long long>(rows_read));
    std::fflush(stderr);
    progress_shown_ = true;
  }

  // Ends a result set of which all rows have come.
  void EndResultSet() {
    if (has_schema_) {
      BeginResultSet();
      runner_.printer_->End();
    }
    has_schema_ = false;
    begun_ = false;
  }

  // Ends a result set that an error cut off: what was printed stays.
  void AbandonResultSet() {
    if (begun_) runner_.printer_->End();
    has_schema_ = false;
    begun_ = false;
  }

  void ClearProgress() {
    if (progress_shown_) std::fprintf(stderr, "\r\033[K");
    progress_shown_ = false;
  }

  bool failed() const { return failed_; }

 private:
  void BeginResultSet() {
    if (!begun_) runner_.printer_->Begin(schema_);
    begun_ = true;
  }

  absl::Status WriteStatus() const {
    if (runner_.printer_->ok()) return absl::OkStatus();
    return MakeError(SqlState::kIoError, "cannot write to standard output");
  }

  StatementRunner& runner_;
  Schema schema_;
  bool has_schema_ = false;
  bool begun_ = false;
  bool failed_ = false;
  bool progress_shown_ = false;
};

StatementRunner::StatementRunner(Client& client, const StatementRunnerOptions& options)
    : client_(client), options_(options), printer_(MakeResultPrinter(options.format, stdout)) {}

StatementRunner::~StatementRunner() = default;

ExitCode StatementRunner::Run(absl::string_view sql, CancelToken* cancel) {
  ExecuteOptions options;
  options.keep_going = options_.keep_going;
  options.settings = settings_;
  std::error_code ignored;
  options.working_directory = std::filesystem::current_path(ignored).string();
  Handler handler(*this);
  absl::Status status = client_.Execute(sql, options, handler, cancel);
  handler.ClearProgress();
  handler.AbandonResultSet();
  if (cancel != nullptr && cancel->cancelled()) return ExitCode::kInterrupted;
  if (!status.ok()) {
    std::fflush(stdout);
    std::fputs(ErrorText(status, sql).c_str(), stderr);
    return StatementExitCode(status);
  }
  return handler.failed() ? ExitCode::kSqlError : ExitCode::kOk;
}

}  // namespace millrace
