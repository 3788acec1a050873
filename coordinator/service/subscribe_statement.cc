#include "coordinator/service/subscribe_statement.h"

#include <algorithm>
#include <chrono>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "arrow/api.h"
#include "common/base/status.h"
#include "common/types/arrow_status.h"
#include "common/types/sql_type.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/planner/planner.h"
#include "coordinator/service/bounded_runner.h"
#include "coordinator/service/ipc_rows.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

// Changes that wait here until their epoch is durable.
constexpr size_t kFetchedBytesMax = size_t{64} << 20;
// Reads that fail one after another although the job runs.
constexpr int kBrokenReadsMax = 50;
constexpr std::chrono::milliseconds kBrokenReadPause(100);

// The view's columns behind those of the changes, which get an underscore if the view has such
// names itself.
CatalogObjectPtr ChangesOfView(const v1::CatalogObject& view) {
  auto relation = std::make_shared<v1::CatalogObject>();
  relation->set_id(view.id());
  relation->set_name(view.name());
  relation->set_kind(v1::OBJECT_KIND_SOURCE);
  relation->set_connector("view_changes");
  for (std::string name : {"epoch", "weight"}) {
    while (std::any_of(view.columns().begin(), view.columns().end(),
                       [&](const v1::Field& field) { return field.name() == name; })) {
      name.insert(0, 1, '_');
    }
    v1::Field* field = relation->add_columns();
    field->set_name(name);
    field->mutable_type()->set_id(v1::TYPE_ID_INT64);
  }
  relation->mutable_columns()->MergeFrom(view.columns());
  return relation;
}

Schema SchemaOf(const v1::CatalogObject& relation) {
  Schema schema;
  for (const v1::Field& field : relation.columns()) schema.push_back(FromProto(field));
  return schema;
}

// Passes rows on to the client, whose result set has begun already.
class RowsToClient final : public ResultSink {
 public:
  explicit RowsToClient(ResultSink& client) : client_(client) {}

  absl::Status WriteSchema(const v1::Schema&, std::string) override { return absl::OkStatus(); }
  absl::Status WriteBatch(std::string ipc_message, uint64_t rows) override {
    rows_ += rows;
    return client_.WriteBatch(std::move(ipc_message), rows);
  }
  absl::Status Notice(absl::string_view message, absl::string_view hint) override {
    return client_.Notice(message, hint);
  }
  void Progress(uint64_t) override {}
  bool drops_rows() const override { return false; }
  uint64_t rows() const { return rows_; }

 private:
  ResultSink& client_;
  uint64_t rows_ = 0;
};

// Keeps rows, as long as they are not too many.
class RowsToKeep final : public ResultSink {
 public:
  absl::Status WriteSchema(const v1::Schema&, std::string) override { return absl::OkStatus(); }
  absl::Status WriteBatch(std::string ipc_message, uint64_t rows) override {
    bytes_ += ipc_message.size();
    if (too_large()) {
      batches_.clear();
      return MakeError(SqlState::kProgramLimitExceeded, "the changes of an epoch are kept no more");
    }
    batches_.emplace_back(std::move(ipc_message), rows);
    return absl::OkStatus();
  }
  absl::Status Notice(absl::string_view, absl::string_view) override { return absl::OkStatus(); }
  void Progress(uint64_t) override {}
  bool drops_rows() const override { return false; }
  bool too_large() const { return bytes_ > kFetchedBytesMax; }
  std::vector<std::pair<std::string, uint64_t>> Take() { return std::move(batches_); }

 private:
  size_t bytes_ = 0;
  std::vector<std::pair<std::string, uint64_t>> batches_;
};

}  // namespace

SubscribeStatement::SubscribeStatement(ClusterParts& parts, StatementContext& context,
                                       const StatementMoment& moment,
                                       const BoundSubscribe& statement)
    : parts_(parts),
      context_(context),
      moment_(moment),
      statement_(statement),
      relation_(ChangesOfView(*statement.view)),
      durable_(statement.epochs == SubscribeEpochs::kDurable) {}

absl::StatusOr<StatementResult> SubscribeStatement::Run() {
  if (context_.parent_job_id != 0) {
    return WithHint(NotSupported("SUBSCRIBE in a job"), "Send it with millrace sql.");
  }
  MR_ASSIGN_OR_RETURN(subscriber_, parts_.streams.AddSubscriber(statement_.view->id()));
  const auto remove = absl::MakeCleanup([this] { parts_.streams.RemoveSubscriber(subscriber_); });
  MR_RETURN_IF_ERROR(WriteSchema());
  MR_RETURN_IF_ERROR(Follow());
  StatementResult result = Done("SUBSCRIBE");
  result.rows = rows_;
  return result;
}

absl::Status SubscribeStatement::Follow() {
  MR_RETURN_IF_ERROR(Begin());
  while (true) {
    MR_ASSIGN_OR_RETURN(
        const ChangesView now,
        parts_.streams.AwaitChanges(
            subscriber_, [this](const ChangesView& view) { return HasWork(view) || AllSent(view); },
            context_.cancellation));
    if (!HasWork(now)) return absl::OkStatus();
    MR_RETURN_IF_ERROR(Work(now));
  }
}

absl::Status SubscribeStatement::Begin() {
  snapshot_due_ = statement_.snapshot;
  while (sent_ == 0) {
    MR_ASSIGN_OR_RETURN(
        const ChangesView now,
        parts_.streams.AwaitChanges(
            subscriber_,
            [](const ChangesView& view) { return view.readable && view.published_epoch > 0; },
            context_.cancellation));
    attempt_ = now.attempt;
    sent_ = now.published_epoch;
    // 0 again if the job is restarted meanwhile.
    if (durable_ && snapshot_due_ && !now.ended) {
      MR_ASSIGN_OR_RETURN(sent_, AwaitDurableEpoch());
    }
  }
  base_ = sent_;
  Advance(sent_);
  // Where a reader of durable epochs begins without a snapshot need not be durable.
  const bool tell = statement_.progress && !durable_ && !snapshot_due_;
  return tell ? WriteEnd(sent_) : absl::OkStatus();
}

absl::Status SubscribeStatement::SendSnapshot() {
  RowsToClient client(context_.sink);
  const absl::Status read = Read(0, sent_, client);
  rows_ += client.rows();
  if (!read.ok()) return OnBrokenRead(read, client.rows() > 0);
  broken_reads_ = 0;
  snapshot_due_ = false;
  fresh_ = false;
  base_ = sent_;
  return WriteEnd(sent_);
}

absl::StatusOr<uint64_t> SubscribeStatement::AwaitDurableEpoch() {
  parts_.streams.WantChangesDurable(subscriber_);
  MR_ASSIGN_OR_RETURN(ChangesView now, parts_.streams.AwaitChanges(
                                           subscriber_,
                                           [this](const ChangesView& view) {
                                             return view.attempt != attempt_ ||
                                                    view.next_checkpoint > 0;
                                           },
                                           context_.cancellation));
  if (now.attempt != attempt_) return 0;
  const uint64_t epoch = now.next_checkpoint;
  // Its rows are read later; the checkpoint need not wait for that.
  Advance(epoch);
  MR_ASSIGN_OR_RETURN(now, parts_.streams.AwaitChanges(
                               subscriber_,
                               [&](const ChangesView& view) {
                                 return view.attempt != attempt_ || view.durable_epoch >= epoch;
                               },
                               context_.cancellation));
  return now.attempt == attempt_ ? epoch : 0;
}

uint64_t SubscribeStatement::Target(const ChangesView& now) const {
  // One that is or may be durable is never passed over: a restart goes on from there.
  if (now.next_checkpoint > sent_) return now.next_checkpoint;
  if (!durable_ && now.published_epoch > sent_) return now.published_epoch;
  return 0;
}

bool SubscribeStatement::MaySend(const ChangesView& now) const {
  if (!fetched_.has_value()) return false;
  // Epochs are never used twice: an attempt that goes on from this one has found it durable.
  if (now.attempt != attempt_) {
    return now.restored_epoch == fetched_->epoch && !fetched_->too_large;
  }
  return now.durable_epoch >= fetched_->epoch;
}

bool SubscribeStatement::AllSent(const ChangesView& now) const {
  return now.ended && now.attempt == attempt_ && !snapshot_due_ && !fetched_.has_value() &&
         Target(now) == 0;
}

bool SubscribeStatement::HasWork(const ChangesView& now) const {
  if (MaySend(now) || now.behind) return true;
  if (!now.readable) return false;
  // The rows of a view can be read when the attempt has published.
  if (snapshot_due_) return now.attempt != attempt_ || now.published_epoch > 0;
  return now.attempt != attempt_ || (!fetched_.has_value() && Target(now) > 0);
}

absl::Status SubscribeStatement::Work(const ChangesView& now) {
  if (MaySend(now)) return SendFetched();
  if (now.behind) return Behind();
  if (now.attempt != attempt_) return OnRestart(now);
  if (snapshot_due_) return SendSnapshot();
  return ReadNext(now);
}

absl::Status SubscribeStatement::OnRestart(const ChangesView& now) {
  attempt_ = now.attempt;
  fetched_.reset();
  broken_reads_ = 0;
  const uint64_t restored = now.restored_epoch;
  if (sent_ == restored || snapshot_due_ || (fresh_ && restored < sent_)) {
    sent_ = restored;
  } else if (sent_ < restored) {
    return Behind();
  } else if (durable_) {
    return MakeError(
        SqlState::kObjectNotInPrerequisiteState,
        absl::StrCat("the job of ", statement_.view->name(), " was restarted from epoch ", restored,
                     ", before epoch ", sent_, ", which was sent"),
        "subscribe again, with snapshot = true");
  } else {
    return TakeBackTo(restored);
  }
  Advance(sent_);
  return absl::OkStatus();
}

absl::Status SubscribeStatement::TakeBackTo(uint64_t epoch) {
  sent_ = epoch;
  Advance(sent_);
  MR_RETURN_IF_ERROR(WriteMark(epoch));
  // What was sent first, the rows at base_, is taken back too.
  snapshot_due_ = statement_.snapshot && epoch < base_;
  return absl::OkStatus();
}

absl::Status SubscribeStatement::ReadNext(const ChangesView& now) {
  const uint64_t target = Target(now);
  if (durable_) {
    RowsToKeep kept;
    const absl::Status read = Read(sent_, target, kept);
    if (!read.ok() && !kept.too_large()) return OnBrokenRead(read, /*rows_left=*/false);
    fetched_ = Fetched{target, kept.Take(), kept.too_large()};
    // What is read again must be kept.
    if (!kept.too_large()) Advance(target);
    broken_reads_ = 0;
    return absl::OkStatus();
  }
  RowsToClient client(context_.sink);
  const absl::Status read = Read(sent_, target, client);
  rows_ += client.rows();
  fresh_ = fresh_ && client.rows() == 0;
  if (!read.ok()) {
    MR_RETURN_IF_ERROR(OnBrokenRead(read, /*rows_left=*/false));
    // Some rows of the epoch have left.
    return client.rows() > 0 ? WriteMark(sent_) : absl::OkStatus();
  }
  broken_reads_ = 0;
  sent_ = target;
  Advance(sent_);
  return client.rows() > 0 || statement_.progress ? WriteEnd(sent_) : absl::OkStatus();
}

absl::Status SubscribeStatement::SendFetched() {
  Fetched fetched = *std::move(fetched_);
  fetched_.reset();
  uint64_t rows = 0;
  if (fetched.too_large) {
    RowsToClient client(context_.sink);
    const absl::Status read = Read(sent_, fetched.epoch, client);
    rows = client.rows();
    if (!read.ok()) return OnBrokenRead(read, rows > 0);
  }
  for (auto& [message, batch_rows] : fetched.batches) {
    rows += batch_rows;
    MR_RETURN_IF_ERROR(context_.sink.WriteBatch(std::move(message), batch_rows));
  }
  rows_ += rows;
  fresh_ = fresh_ && rows == 0;
  sent_ = fetched.epoch;
  Advance(sent_);
  return rows > 0 || statement_.progress ? WriteEnd(sent_) : absl::OkStatus();
}

// The loss of a worker breaks a read; what follows from it shows in the state of the job. Rows that
// have left can not be taken back from a reader who is promised that nothing ever is.
absl::Status SubscribeStatement::OnBrokenRead(const absl::Status& error, bool rows_left) {
  MR_RETURN_IF_ERROR(context_.cancellation.status());
  if (rows_left) return error;
  // After a restart the rows of views are still being loaded for a while.
  const bool loading = GetErrorDetail(error).state == SqlState::kObjectNotInPrerequisiteState;
  if (!loading && ++broken_reads_ > kBrokenReadsMax) return error;
  const auto patience_until = std::chrono::steady_clock::now() + kBrokenReadPause;
  return parts_.streams
      .AwaitChanges(
          subscriber_,
          [&](const ChangesView& view) {
            return view.attempt != attempt_ || std::chrono::steady_clock::now() >= patience_until;
          },
          context_.cancellation)
      .status();
}

absl::Status SubscribeStatement::Behind() const {
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   absl::StrCat("changes of ", statement_.view->name(), " behind epoch ", sent_,
                                " are not kept any more"),
                   "read faster, and subscribe again, with snapshot = true");
}

void SubscribeStatement::Advance(uint64_t epoch) {
  parts_.streams.AdvanceSubscriber(subscriber_, epoch);
}

absl::Status SubscribeStatement::Read(uint64_t after, uint64_t through, ResultSink& sink) {
  PlanOptions options;
  // The rows of a view lie on all workers, and each must have a task that reads them.
  options.parallelism = static_cast<uint32_t>(std::max<size_t>(1, parts_.registry.Active().size()));
  BoundedQuery query;
  MR_ASSIGN_OR_RETURN(v1::PhysicalPlan plan,
                      PlanQuery(NewScan(relation_, std::nullopt, /*position=*/0), options));
  query.plan = std::make_shared<const v1::PhysicalPlan>(std::move(plan));
  query.catalog = moment_.catalog;
  query.view_parts = parts_.streams.ChangesBetween(subscriber_, after, through);
  StatementContext reading{context_.settings,     context_.working_directory,
                           context_.cancellation, sink,
                           /*parent_job_id=*/0,   /*step=*/0,
                           /*on_job=*/{}};
  return BoundedRunner(parts_, reading).RunQuery(query).status();
}

absl::Status SubscribeStatement::WriteSchema() {
  const Schema schema = SchemaOf(*relation_);
  MR_ASSIGN_ARROW_OR_RETURN(const auto empty, arrow::RecordBatch::MakeEmpty(ToArrowSchema(schema)));
  MR_ASSIGN_OR_RETURN(IpcMessages messages, EncodeBatch(*empty));
  v1::Schema columns;
  *columns.mutable_fields() = relation_->columns();
  MR_RETURN_IF_ERROR(context_.sink.WriteSchema(columns, std::move(messages.schema)));
  // The header can be shown before the first change.
  return context_.sink.WriteBatch(std::move(messages.batch), 0);
}

absl::Status SubscribeStatement::WriteEnd(uint64_t epoch) {
  if (statement_.progress) {
    fresh_ = false;
    return WriteMark(epoch);
  }
  MR_ASSIGN_ARROW_OR_RETURN(const auto empty,
                            arrow::RecordBatch::MakeEmpty(ToArrowSchema(SchemaOf(*relation_))));
  MR_ASSIGN_OR_RETURN(IpcMessages messages, EncodeBatch(*empty));
  return context_.sink.WriteBatch(std::move(messages.batch), 0);
}

absl::Status SubscribeStatement::WriteMark(uint64_t epoch) {
  const auto schema = ToArrowSchema(SchemaOf(*relation_));
  arrow::ArrayVector columns;
  for (const int64_t value : {static_cast<int64_t>(epoch), int64_t{0}}) {
    MR_ASSIGN_ARROW_OR_RETURN(auto column,
                              arrow::MakeArrayFromScalar(arrow::Int64Scalar(value), 1));
    columns.push_back(std::move(column));
  }
  for (int i = 2; i < schema->num_fields(); ++i) {
    MR_ASSIGN_ARROW_OR_RETURN(auto column, arrow::MakeArrayOfNull(schema->field(i)->type(), 1));
    columns.push_back(std::move(column));
  }
  MR_ASSIGN_OR_RETURN(IpcMessages mark,
                      EncodeBatch(*arrow::RecordBatch::Make(schema, 1, std::move(columns))));
  ++rows_;
  MR_RETURN_IF_ERROR(context_.sink.WriteBatch(std::move(mark.batch), 1));
  MR_ASSIGN_ARROW_OR_RETURN(const auto empty, arrow::RecordBatch::MakeEmpty(schema));
  MR_ASSIGN_OR_RETURN(IpcMessages end, EncodeBatch(*empty));
  return context_.sink.WriteBatch(std::move(end.batch), 0);
}

}  // namespace millrace
