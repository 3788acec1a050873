#include "coordinator/service/statement_executor.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status.h"
#include "coordinator/planner/explain.h"
#include "coordinator/service/bounded_runner.h"
#include "coordinator/service/definition_statements.h"
#include "coordinator/service/file_definition.h"
#include "coordinator/service/ipc_rows.h"
#include "coordinator/service/session_settings.h"
#include "coordinator/service/show_statements.h"
#include "coordinator/service/stream_group.h"
#include "coordinator/service/stream_statements.h"
#include "coordinator/service/subscribe_statement.h"
#include "coordinator/service/worker_wait.h"
#include "coordinator/service/write_statements.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

absl::StatusOr<PlanTarget> TargetOf(const PathPolicy& policy, const BoundInsert& insert) {
  if (insert.target->kind() == v1::OBJECT_KIND_TABLE) {
    TableSinkTarget table;
    table.object_id = insert.target->id();
    table.columns = insert.plan->output;
    return PlanTarget(std::move(table));
  }
  MR_ASSIGN_OR_RETURN(FileSinkTarget file, FileTarget(policy, *insert.target, insert.plan->output));
  return PlanTarget(std::move(file));
}

// The query of a statement that EXPLAIN can show.
absl::StatusOr<PlanRequest> QueryOf(const PathPolicy& policy, const BoundStatement& statement) {
  PlanRequest query;
  if (const auto* select = std::get_if<BoundSelect>(&statement.statement)) {
    query.query = select->plan;
  } else if (const auto* view = std::get_if<BoundCreateView>(&statement.statement)) {
    query.query = view->plan;
    if (!view->materialized) return query;
    query.mode = view->emit_on_window_close ? PlanMode::kStreamOnWindowClose : PlanMode::kStream;
    query.target = ViewSinkTarget{0, view->name};
    query.positions = {view->name_position, view->emit_position};
  } else if (const auto* table = std::get_if<BoundCreateTableAs>(&statement.statement)) {
    query.query = table->plan;
    query.target = TableSinkTarget{0, table->plan->output, ""};
  } else if (const auto* insert = std::get_if<BoundInsert>(&statement.statement)) {
    query.query = insert->plan;
    query.mode = ModeOf(*insert);
    MR_ASSIGN_OR_RETURN(query.target, TargetOf(policy, *insert));
    query.positions = {insert->name_position, insert->emit_position};
  } else if (const auto* copy = std::get_if<BoundCopyTo>(&statement.statement)) {
    FileSinkTarget file;
    file.table_name = copy->path;
    file.options = copy->options;
    file.options["path"] = copy->path;
    file.columns = copy->plan->output;
    query.query = copy->plan;
    query.target = std::move(file);
  } else {
    return NotSupported("EXPLAIN of this statement");
  }
  return query;
}

// Keeps what a statement tells the client.
class Notices final : public ResultSink {
 public:
  absl::Status WriteSchema(const v1::Schema&, std::string) override {
    return InternalError("a statement of a streaming job has no rows");
  }
  absl::Status WriteBatch(std::string, uint64_t) override {
    return InternalError("a statement of a streaming job has no rows");
  }
  absl::Status Notice(absl::string_view message, absl::string_view hint) override {
    notices_.emplace_back(message, hint);
    return absl::OkStatus();
  }
  void Progress(uint64_t) override {}
  bool drops_rows() const override { return false; }
  std::vector<std::pair<std::string, std::string>> Take() { return std::move(notices_); }

 private:
  std::vector<std::pair<std::string, std::string>> notices_;
};

}  // namespace

// One statement on its way; the visitor of the bound forms.
class StatementExecutor::Run {
 public:
  Run(ClusterParts& parts, StatementContext& context, std::string text,
      std::shared_ptr<const CatalogSnapshot> catalog)
      : parts_(parts), context_(context), text_(std::move(text)) {
    moment_.catalog = std::move(catalog);
    moment_.wall_micros = parts_.clock.WallMicros();
    moment_.bind.statement_time_micros = moment_.wall_micros;
    moment_.bind.infer_file = [this](const std::string& path, const std::string& format) {
      return InferFileSource(parts_.path_policy, context_.working_directory, path, format);
    };
    moment_.bind.resolve_path = [this](const std::string& path) {
      return parts_.path_policy.CheckPath(context_.working_directory, path);
    };
  }

  absl::StatusOr<BoundStatement> Bind() {
    MR_ASSIGN_OR_RETURN(const SessionSettings settings, ParseSessionSettings(context_.settings));
    if (settings.statement_timeout_micros > 0) {
      context_.cancellation.SetDeadline(
          parts_.clock.MonotonicMicros() + settings.statement_timeout_micros,
          MakeError(SqlState::kQueryCanceled, "canceling statement due to statement timeout"));
    }
    MR_ASSIGN_OR_RETURN(BoundStatement bound, BindStatement(text_, *moment_.catalog, moment_.bind));
    MR_RETURN_IF_ERROR(context_.cancellation.status());
    return bound;
  }

  absl::StatusOr<StatementResult> Execute(const BoundStatement& bound) {
    return std::visit([this](const auto& statement) { return (*this)(statement); },
                      bound.statement);
  }

  absl::StatusOr<StatementResult> AddTo(StreamGroup& group, const BoundStatement& bound) {
    const StreamGroup::Statement statement{text_, context_.step, moment_, context_.sink};
    if (const auto* view = std::get_if<BoundCreateView>(&bound.statement)) {
      return group.AddView(*view, statement);
    }
    return group.AddInsert(std::get<BoundInsert>(bound.statement), statement);
  }

  const StatementMoment& moment() const { return moment_; }

  absl::StatusOr<StatementResult> operator()(const BoundSelect& statement) {
    MR_RETURN_IF_ERROR(AwaitWorker(parts_, context_));
    MR_ASSIGN_OR_RETURN(PlanPtr plan,
                        PlanStatement({statement.plan, PlanMode::kBounded, ResultTarget{}}, parts_,
                                      context_, moment_));
    BoundedRunner runner(parts_, context_);
    MR_ASSIGN_OR_RETURN(const BoundedResult run,
                        runner.RunQuery({std::move(plan), moment_.catalog}));
    StatementResult result = Done("SELECT");
    result.rows = run.rows;
    return result;
  }
  absl::StatusOr<StatementResult> operator()(const BoundCreateTable& statement) {
    return DefinitionStatements(parts_, context_, moment_).CreateTable(statement);
  }
  absl::StatusOr<StatementResult> operator()(const BoundCreateView& statement) {
    if (statement.materialized) {
      return StreamStatements(parts_, context_, moment_, text_).CreateMaterializedView(statement);
    }
    return DefinitionStatements(parts_, context_, moment_).CreateView(statement);
  }
  absl::StatusOr<StatementResult> operator()(const BoundCreateTableAs& statement) {
    return WriteStatements(parts_, context_, moment_).CreateTableAs(statement);
  }
  absl::StatusOr<StatementResult> operator()(const BoundInsert& statement) {
    if (ModeOf(statement) != PlanMode::kBounded) {
      return StreamStatements(parts_, context_, moment_, text_).InsertStream(statement);
    }
    return WriteStatements(parts_, context_, moment_)
        .Insert(*statement.target, statement.plan, "INSERT");
  }
  absl::StatusOr<StatementResult> operator()(const BoundCopyTo& statement) {
    return WriteStatements(parts_, context_, moment_).CopyTo(statement);
  }
  absl::StatusOr<StatementResult> operator()(const BoundCopyFrom& statement) {
    return WriteStatements(parts_, context_, moment_)
        .Insert(*statement.target, statement.plan, "COPY");
  }
  absl::StatusOr<StatementResult> operator()(const BoundDrop& statement) {
    return DefinitionStatements(parts_, context_, moment_).Drop(statement);
  }
  absl::StatusOr<StatementResult> operator()(const BoundShow& statement) {
    return ShowStatements(parts_, context_, moment_).Show(statement);
  }
  absl::StatusOr<StatementResult> operator()(const BoundDescribe& statement) {
    return ShowStatements(parts_, context_, moment_).Describe(statement);
  }
  absl::StatusOr<StatementResult> operator()(const BoundSet& statement) {
    return ShowStatements(parts_, context_, moment_).Set(statement);
  }
  absl::StatusOr<StatementResult> operator()(const BoundFlush&) {
    return StreamStatements(parts_, context_, moment_, text_).Flush();
  }
  absl::StatusOr<StatementResult> operator()(const BoundWaitFor& statement) {
    return StreamStatements(parts_, context_, moment_, text_).WaitFor(statement);
  }
  absl::StatusOr<StatementResult> operator()(const BoundSubscribe& statement) {
    return SubscribeStatement(parts_, context_, moment_, statement).Run();
  }
  absl::StatusOr<StatementResult> operator()(const BoundExplain& statement) {
    MR_ASSIGN_OR_RETURN(PlanRequest query, QueryOf(parts_.path_policy, *statement.statement));
    MR_ASSIGN_OR_RETURN(const PlanPtr plan,
                        PlanStatement(std::move(query), parts_, context_, moment_));
    BoundedResult run;
    if (statement.analyze) {
      MR_ASSIGN_OR_RETURN(run, RunUnseen(plan));
    }
    TextRows rows;
    rows.columns = {"QUERY PLAN"};
    if (statement.json) {
      rows.rows.push_back({ExplainJson(*plan, run.tasks)});
    } else {
      const std::string text = ExplainText(*plan, run.tasks);
      for (absl::string_view line : absl::StrSplit(text, '\n')) {
        rows.rows.push_back({std::string(line)});
      }
      while (!rows.rows.empty() && rows.rows.back()[0].empty()) rows.rows.pop_back();
    }
    MR_RETURN_IF_ERROR(WriteTextRows(rows, context_.sink));
    StatementResult result = Done("EXPLAIN");
    result.rows = rows.rows.size();
    return result;
  }

 private:
  // Runs the query, and drops its rows.
  absl::StatusOr<BoundedResult> RunUnseen(const PlanPtr& plan) {
    NullResultSink nowhere;
    StatementContext unseen{context_.settings, context_.working_directory, context_.cancellation,
                            nowhere,           context_.parent_job_id,     context_.step,
                            context_.on_job};
    BoundedRunner runner(parts_, unseen);
    return runner.RunQuery({plan, moment_.catalog});
  }

  ClusterParts& parts_;
  StatementContext& context_;
  const std::string text_;
  StatementMoment moment_;
};

absl::StatusOr<StatementResult> StatementExecutor::Execute(absl::string_view text,
                                                           StatementContext& context) {
  Run run(parts_, context, std::string(text), parts_.catalog.Snapshot());
  MR_ASSIGN_OR_RETURN(const BoundStatement bound, run.Bind());
  return run.Execute(bound);
}

// The statements of a script that become one streaming job.
class StatementExecutor::Script {
 public:
  Script(ClusterParts& parts, absl::Span<const std::string> statements, StatementContext& context,
         const RunOptions& options)
      : parts_(parts),
        statements_(statements),
        context_(context),
        options_(options),
        group_(parts, context) {}

  RunOutcome Execute() {
    Run first(parts_, context_, statements_[0], parts_.catalog.Snapshot());
    absl::StatusOr<BoundStatement> bound = first.Bind();
    if (!bound.ok()) return Alone(bound.status());
    if (!IsStream(*bound)) return Alone(first.Execute(*bound));
    Take(first.AddTo(group_, *bound));
    if (!Stopped()) TakeFollowing();
    if (!Stopped() && !group_.empty()) Start();
    return std::move(outcome_);
  }

 private:
  static bool IsStream(const BoundStatement& bound) {
    if (const auto* view = std::get_if<BoundCreateView>(&bound.statement)) {
      return view->materialized;
    }
    const auto* insert = std::get_if<BoundInsert>(&bound.statement);
    return insert != nullptr && ModeOf(*insert) != PlanMode::kBounded;
  }

  // A statement that cannot be bound belongs to the job if it would have.
  static bool LooksLikeStream(const std::string& text) {
    std::vector<std::string> words =
        absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
    if (words.size() < 3) return false;
    words.resize(3);
    return absl::EqualsIgnoreCase(absl::StrJoin(words, " "), "CREATE MATERIALIZED VIEW");
  }

  // It runs no tasks, stores nothing, and does not read what the group creates.
  bool IsDefinition(const BoundStatement& bound) const {
    if (const auto* table = std::get_if<BoundCreateTable>(&bound.statement)) {
      return !table->options.contains("late_into");
    }
    const auto* view = std::get_if<BoundCreateView>(&bound.statement);
    return view != nullptr && !view->materialized &&
           std::none_of(view->depends_on.begin(), view->depends_on.end(),
                        [this](uint64_t id) { return group_.Creates(id); });
  }

  bool Stopped() const { return outcome_.failed.has_value() && !options_.keep_going; }

  RunOutcome Alone(absl::StatusOr<StatementResult> result) {
    if (!result.ok()) outcome_.failed = 0;
    outcome_.results.push_back(std::move(result));
    return std::move(outcome_);
  }

  // With keep_going only the statement itself fails.
  void Take(absl::StatusOr<StatementResult> result) {
    if (!result.ok()) {
      outcome_.failed = outcome_.results.size();
      if (!options_.keep_going) Undo();
    }
    outcome_.results.push_back(std::move(result));
  }

  void TakeFollowing() {
    for (size_t i = 1; i < statements_.size() && !Stopped(); ++i) {
      if (options_.find && options_.find(i).has_value()) return;
      Notices notices;
      StatementContext context = context_of(i, notices);
      Run run(parts_, context, statements_[i], group_.Catalog());
      const absl::StatusOr<BoundStatement> bound = run.Bind();
      absl::StatusOr<StatementResult> result = StatementResult();
      if (!bound.ok()) {
        if (!LooksLikeStream(statements_[i])) return;
        result = bound.status();
      } else if (IsStream(*bound)) {
        result = run.AddTo(group_, *bound);
      } else if (IsDefinition(*bound)) {
        result = run.Execute(*bound);
      } else {
        return;
      }
      if (result.ok()) result->notices = notices.Take();
      Take(std::move(result));
    }
  }

  StatementContext context_of(size_t offset, ResultSink& sink) const {
    StatementContext context{context_.settings,
                             context_.working_directory,
                             context_.cancellation,
                             sink,
                             context_.parent_job_id,
                             context_.step + static_cast<uint32_t>(offset),
                             {}};
    if (options_.record_of) {
      context.record_of = [this, offset](const StatementResult& result) {
        return options_.record_of(offset, result);
      };
    }
    return context;
  }

  bool IsMember(size_t offset) const {
    const auto& result = outcome_.results[offset];
    return result.ok() && result->stream_job_id != 0;
  }

  std::vector<MetadataWrite> Records() const {
    std::vector<MetadataWrite> records;
    for (size_t i = 0; i < outcome_.results.size() && options_.record_of; ++i) {
      if (!IsMember(i)) continue;
      const std::vector<MetadataWrite> own = options_.record_of(i, *outcome_.results[i]);
      records.insert(records.end(), own.begin(), own.end());
    }
    return records;
  }

  void Start() {
    StatementMoment moment;
    moment.catalog = group_.Catalog();
    moment.wall_micros = parts_.clock.WallMicros();
    moment.bind.statement_time_micros = moment.wall_micros;
    moment.bind.infer_file = [this](const std::string& path, const std::string& format) {
      return InferFileSource(parts_.path_policy, context_.working_directory, path, format);
    };
    const absl::Status started = group_.Start(moment, [this] { return Records(); });
    if (started.ok()) return;
    size_t failed = outcome_.results.size();
    while (failed-- > 0) {
      if (IsMember(failed)) outcome_.failed = failed;
    }
    if (const std::optional<uint32_t> step = group_.failed_step(); step.has_value()) {
      outcome_.failed = *step - context_.step;
    }
    Undo();
    outcome_.results[*outcome_.failed] = started;
  }

  // What belongs to the job is not done.
  void Undo() {
    for (size_t i = 0; i < outcome_.results.size(); ++i) {
      if (!IsMember(i)) continue;
      outcome_.results[i] = MakeError(
          SqlState::kQueryCanceled,
          absl::StrCat("not created, because statement ", context_.step + *outcome_.failed + 1,
                       " of the script has failed, which belongs to the same job"));
    }
  }

  ClusterParts& parts_;
  const absl::Span<const std::string> statements_;
  StatementContext& context_;
  const RunOptions& options_;
  StreamGroup group_;
  RunOutcome outcome_;
};

RunOutcome StatementExecutor::ExecuteRun(absl::Span<const std::string> statements,
                                         StatementContext& context, const RunOptions& options) {
  if (options.record_of) {
    context.record_of = [&options](const StatementResult& result) {
      return options.record_of(0, result);
    };
  }
  return Script(parts_, statements, context, options).Execute();
}

}  // namespace millrace
