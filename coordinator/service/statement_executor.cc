#include "coordinator/service/statement_executor.h"

#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status.h"
#include "coordinator/planner/explain.h"
#include "coordinator/service/bounded_runner.h"
#include "coordinator/service/definition_statements.h"
#include "coordinator/service/file_definition.h"
#include "coordinator/service/ipc_rows.h"
#include "coordinator/service/session_settings.h"
#include "coordinator/service/show_statements.h"
#include "coordinator/service/stream_statements.h"
#include "coordinator/service/write_statements.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

PlanMode ModeOf(const BoundInsert& insert) {
  if (insert.emit_on_window_close) return PlanMode::kStreamOnWindowClose;
  return IsUnbounded(*insert.plan) ? PlanMode::kStream : PlanMode::kBounded;
}

absl::StatusOr<PlanTarget> TargetOf(const BoundInsert& insert) {
  if (insert.target->kind() == v1::OBJECT_KIND_TABLE) {
    TableSinkTarget table;
    table.object_id = insert.target->id();
    table.columns = insert.plan->output;
    return PlanTarget(std::move(table));
  }
  MR_ASSIGN_OR_RETURN(FileSinkTarget file, FileTarget(*insert.target, insert.plan->output));
  return PlanTarget(std::move(file));
}

// The query of a statement that EXPLAIN can show.
absl::StatusOr<PlanRequest> QueryOf(const BoundStatement& statement) {
  PlanRequest query;
  if (const auto* select = std::get_if<BoundSelect>(&statement.statement)) {
    query.query = select->plan;
  } else if (const auto* view = std::get_if<BoundCreateView>(&statement.statement)) {
    query.query = view->plan;
    if (!view->materialized) return query;
    query.mode = view->emit_on_window_close ? PlanMode::kStreamOnWindowClose : PlanMode::kStream;
    query.target = ViewSinkTarget{0, view->name};
  } else if (const auto* table = std::get_if<BoundCreateTableAs>(&statement.statement)) {
    query.query = table->plan;
    query.target = TableSinkTarget{0, table->plan->output, ""};
  } else if (const auto* insert = std::get_if<BoundInsert>(&statement.statement)) {
    query.query = insert->plan;
    query.mode = ModeOf(*insert);
    MR_ASSIGN_OR_RETURN(query.target, TargetOf(*insert));
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

}  // namespace

// One statement on its way; the visitor of the bound forms.
class StatementExecutor::Run {
 public:
  Run(ClusterParts& parts, StatementContext& context, std::string text)
      : parts_(parts), context_(context), text_(std::move(text)) {
    moment_.catalog = parts_.catalog.Snapshot();
    moment_.wall_micros = parts_.clock.WallMicros();
    moment_.bind.statement_time_micros = moment_.wall_micros;
    moment_.bind.infer_file = [this](const std::string& path, const std::string& format) {
      return InferFileSource(parts_.path_policy, context_.working_directory, path, format);
    };
  }

  absl::StatusOr<StatementResult> Execute() {
    MR_ASSIGN_OR_RETURN(const SessionSettings settings, ParseSessionSettings(context_.settings));
    if (settings.statement_timeout_micros > 0) {
      context_.cancellation.SetDeadline(
          parts_.clock.MonotonicMicros() + settings.statement_timeout_micros,
          MakeError(SqlState::kQueryCanceled, "canceling statement due to statement timeout"));
    }
    MR_ASSIGN_OR_RETURN(const BoundStatement bound,
                        BindStatement(text_, *moment_.catalog, moment_.bind));
    MR_RETURN_IF_ERROR(context_.cancellation.status());
    return std::visit([this](const auto& statement) { return (*this)(statement); },
                      bound.statement);
  }

  absl::StatusOr<StatementResult> operator()(const BoundSelect& statement) {
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
  absl::StatusOr<StatementResult> operator()(const BoundExplain& statement) {
    MR_ASSIGN_OR_RETURN(PlanRequest query, QueryOf(*statement.statement));
    const bool select = std::holds_alternative<BoundSelect>(statement.statement->statement);
    if (statement.analyze && !select) {
      return NotSupported("EXPLAIN ANALYZE of a statement that is no SELECT");
    }
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
  return Run(parts_, context, std::string(text)).Execute();
}

}  // namespace millrace
