#include "millrace/row_stream.h"

#include <arrow/record_batch.h>

#include <utility>

#include "client/cpp/channel.h"
#include "client/cpp/public_form.h"
#include "client/cpp/session.h"
#include "common/base/status.h"

namespace millrace {

RowStream::RowStream(std::unique_ptr<Call> call) : call_(std::move(call)) {}
RowStream::~RowStream() = default;

const std::shared_ptr<arrow::Schema>& RowStream::schema() const { return call_->schema(); }

Result<std::shared_ptr<arrow::RecordBatch>> RowStream::Next() {
  absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> batch = call_->Next();
  if (!batch.ok()) return ToError(batch.status());
  return *std::move(batch);
}

const std::vector<Notice>& RowStream::notices() const { return call_->notices(); }

void RowStream::Cancel() { call_->Cancel(); }

RowStream::Call::Call(std::shared_ptr<Connection::Session> session, v1::ExecuteRequest request,
                      const StatementOptions& options)
    : session_(std::move(session)), request_(std::move(request)), timeout_(options.timeout) {}

RowStream::Call::~Call() {
  if (reader_ == nullptr) return;
  Cancel();
  Close().IgnoreError();
}

void RowStream::Call::Cancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

void RowStream::Call::Open(std::chrono::milliseconds timeout) {
  MutexLock lock(mutex_);
  context_ = std::make_unique<grpc::ClientContext>();
  SetTimeout(*context_, timeout);
  reader_ = session_->sql().Execute(context_.get(), request_);
  if (cancelled_) context_->TryCancel();
}

absl::Status RowStream::Call::Close() {
  while (reader_->Read(&response_)) {
  }
  const absl::Status status = CallStatus(reader_->Finish());
  reader_.reset();
  MutexLock lock(mutex_);
  context_.reset();
  return status;
}

absl::Status RowStream::Call::Begin() {
  RetryLoop tries(session_->channel(), session_->options().retries, timeout_);
  do {
    notices_.clear();
    outcomes_.clear();
    ended_ = false;
    Open(tries.left());
    absl::StatusOr<Event> event = Event::kOther;
    while (event.ok() && (*event == Event::kOther || (drop_rows_ && *event != Event::kEnd))) {
      event = Read();
    }
    end_ = event.status();
  } while (tries.Again(end_));
  return end_;
}

absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> RowStream::Call::Next() {
  while (!ended_) {
    absl::StatusOr<Event> event = Read();
    if (event.ok() && *event == Event::kSchema) {
      Cancel();
      Close().IgnoreError();
      ended_ = true;
      event = end_ = NotSupported("a text of statements with several results in one call");
    }
    if (!event.ok()) return event.status();
    if (*event == Event::kBatch && batch_->num_rows() > 0) return std::move(batch_);
  }
  if (!end_.ok()) return end_;
  return std::shared_ptr<arrow::RecordBatch>();
}

absl::StatusOr<RowStream::Call::Event> RowStream::Call::Read() {
  if (!reader_->Read(&response_)) {
    ended_ = true;
    end_ = Close();
    if (!end_.ok()) return end_;
    return Event::kEnd;
  }
  absl::StatusOr<Event> event = OnMessage();
  if (event.ok()) return event;
  Cancel();
  Close().IgnoreError();
  ended_ = true;
  end_ = event.status();
  return event;
}

absl::StatusOr<RowStream::Call::Event> RowStream::Call::OnMessage() {
  switch (response_.message_case()) {
    case v1::ExecuteResponse::kSchema:
      MR_RETURN_IF_ERROR(decoder_.SetSchema(response_.schema()));
      return Event::kSchema;
    case v1::ExecuteResponse::kBatch: {
      if (drop_rows_) return Event::kBatch;
      MR_ASSIGN_OR_RETURN(batch_, decoder_.Decode(response_.batch()));
      return Event::kBatch;
    }
    case v1::ExecuteResponse::kStatementStart:
      outcomes_.emplace_back();
      return Event::kOther;
    case v1::ExecuteResponse::kNotice:
      notices_.push_back({response_.notice().message(), response_.notice().hint()});
      if (!outcomes_.empty()) outcomes_.back().notices.push_back(notices_.back());
      return Event::kOther;
    case v1::ExecuteResponse::kStatementEnd:
      if (outcomes_.empty()) outcomes_.emplace_back();
      outcomes_.back().tag = response_.statement_end().tag();
      outcomes_.back().rows = response_.statement_end().rows();
      outcomes_.back().job_id = response_.statement_end().job_id();
      return Event::kOther;
    case v1::ExecuteResponse::kSettingChanged:
      session_->KeepSetting(response_.setting_changed());
      return Event::kOther;
    default:
      // Progress, and what a newer server may send.
      return Event::kOther;
  }
}

}  // namespace millrace
