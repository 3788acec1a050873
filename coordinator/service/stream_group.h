#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/statement_context.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

// The statements that become one streaming job: a script's CREATE MATERIALIZED VIEWs and streaming
// INSERTs that follow each other, or a single one. All of them are created, or none is. Used by one
// thread; what was not started is undone by the destructor.
class StreamGroup {
 public:
  // `first`: the context of the first statement; settings and script are those of the whole group.
  StreamGroup(ClusterParts& parts, StatementContext& first) : parts_(parts), context_(first) {}
  // For the definition with this id, which is CREATING and carries the job's number: it becomes
  // READY with the group's views, and no longer carries the number.
  StreamGroup(ClusterParts& parts, StatementContext& first, const v1::CatalogObject& definition);
  ~StreamGroup();
  StreamGroup(const StreamGroup&) = delete;
  StreamGroup& operator=(const StreamGroup&) = delete;

  // One statement as it comes: its text, its index in the script, and what it was bound against.
  struct Statement {
    std::string text;
    uint32_t step = 0;
    const StatementMoment& moment;
    ResultSink& sink;
  };
  // Reserve the name, and check that the statement can be planned. Return what the statement will
  // have done once the group is started. After an error the group is what it was before. A view
  // that exists already (IF NOT EXISTS) does not become part of the group.
  absl::StatusOr<StatementResult> AddView(const BoundCreateView& view, const Statement& statement);
  absl::StatusOr<StatementResult> AddInsert(const BoundInsert& insert, const Statement& statement);

  // The catalog with the group's views, for the statements that follow in the group.
  std::shared_ptr<const CatalogSnapshot> Catalog() const;
  bool Creates(uint64_t object_id) const;
  bool empty() const { return members_.empty(); }

  // After Start has failed: the statement whose task has failed, if it is known.
  std::optional<uint32_t> failed_step() const { return failed_step_; }

  // Plans, deploys, and returns when the first epoch is published: all views are there. After an
  // error nothing of the group is left. `also` gives the records of what the statements have done.
  // They are written with the views, because a crash before that undoes the group; without views
  // with the job, because that is taken up after a crash, and is there once.
  absl::Status Start(const StatementMoment& moment,
                     const std::function<std::vector<MetadataWrite>()>& also);

 private:
  struct Member {
    uint32_t step = 0;
    std::string text;
    // Of the view or the sink.
    std::string name;
    uint64_t object_id = 0;
    bool is_view = false;
    std::string stored_at;
    LogicalPtr query;
    PlanMode mode = PlanMode::kStream;
    PlanTarget target;
    StreamPositions positions;
    // Objects that the job uses, as its record lists them.
    std::vector<uint64_t> uses;
  };

  absl::Status NeedJobId();
  static PlanRequest RequestOf(const Member& member);
  absl::Status CheckPlan(const Member& member, const StatementMoment& moment) const;
  absl::StatusOr<StreamPlan> Plan(const StatementMoment& moment) const;
  absl::StatusOr<StreamSpec> MakeSpec(StreamPlan plan, const CatalogSnapshot& catalog) const;
  absl::StatusOr<v1::JobRecord> MakeRecord(const std::vector<MetadataWrite>& also) const;
  absl::Status Deploy(StreamPlan plan, const CatalogSnapshot& catalog,
                      const std::vector<MetadataWrite>& also);
  absl::Status CompleteViews(const v1::PhysicalPlan& plan,
                             const std::function<std::vector<MetadataWrite>()>& also);
  StatementResult ResultOf(const Member& member) const;
  void FindFailedStep();
  void DropStream(const std::vector<MetadataWrite>& also);
  void Undo();

  ClusterParts& parts_;
  StatementContext& context_;
  uint64_t job_id_ = 0;
  // 0 = none.
  uint64_t definition_id_ = 0;
  std::vector<Member> members_;
  // The views, as they will be.
  std::vector<CatalogObjectPtr> views_;
  bool started_ = false;
  std::optional<uint32_t> failed_step_;
};

// Whether an INSERT ends by itself, and how it gives out windows.
PlanMode ModeOf(const BoundInsert& insert);

}  // namespace millrace
