#include "worker/assembly/task_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>

#include "common/storage/local_file_system.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/status.pb.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"
#include "worker/exchange/channel_registry.h"
#include "worker/exchange/peer_pool.h"
#include "worker/memory/memory_budget.h"
#include "worker/runtime/actor_pool.h"
#include "worker/runtime/result_queue.h"
#include "worker/runtime/task.h"
#include "worker/state/job_state_store.h"
#include "worker/state/memory_view_store.h"

namespace millrace {
namespace {

using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class Listener final : public TaskListener {
 public:
  explicit Listener(int num_tasks) : done(num_tasks) {}
  void OnEpochProcessed(const v1::EpochAck&, bool) override {}
  void OnTaskDone(const v1::TaskProgress& progress, TaskOutcome outcome) override {
    EXPECT_TRUE(outcome.status.ok()) << progress.fragment() << ": " << outcome.status;
    done.count_down();
  }
  std::latch done;
};

class TaskAssemblerTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<AssembledTask>> Assemble(const v1::DeployAttempt& deploy,
                                                      TaskListener& listener) {
    MR_ASSIGN_OR_RETURN(const AttemptPlan plan, AttemptPlan::Create(deploy, 1));
    const AttemptParts attempt{listener, requester_, memory_, nullptr};
    TaskAssembler assembler(plan, parts_, attempt);
    return assembler.Assemble();
  }
  static void AddColumn(v1::PlanNode* node) {
    node->add_output()->set_name("v");
    node->mutable_output(0)->mutable_type()->set_id(v1::TYPE_ID_INT64);
  }
  // VALUES (3), (1), (2) in one task → `distribution` → LIMIT in `consumers` tasks → result.
  static v1::DeployAttempt ValuesPlan(v1::Distribution distribution, uint32_t consumers) {
    v1::DeployAttempt deploy;
    v1::Fragment* values = deploy.mutable_plan()->add_fragments();
    values->set_parallelism(1);
    AddColumn(values->mutable_root());
    for (const int64_t number : {3, 1, 2}) {
      v1::Expr* cell = values->mutable_root()->mutable_values()->add_rows()->add_columns();
      cell->mutable_type()->set_id(v1::TYPE_ID_INT64);
      *cell->mutable_literal()->mutable_type() = cell->type();
      cell->mutable_literal()->set_int_value(number);
    }
    v1::Output* output = values->add_outputs();
    output->set_distribution(distribution);
    output->add_key_columns(0);
    output->set_consumer_fragment(1);
    v1::Fragment* limit = deploy.mutable_plan()->add_fragments();
    limit->set_id(1);
    limit->set_parallelism(consumers);
    limit->add_outputs()->set_distribution(v1::DISTRIBUTION_RESULT);
    limit->mutable_root()->set_id(2);
    limit->mutable_root()->mutable_limit()->set_limit(2);
    AddColumn(limit->mutable_root());
    v1::PlanNode* exchange = limit->mutable_root()->add_inputs();
    exchange->mutable_exchange();
    AddColumn(exchange);
    for (const v1::Fragment& fragment : deploy.plan().fragments()) {
      for (uint32_t i = 0; i < fragment.parallelism(); ++i) {
        v1::TaskPlacement* task = deploy.add_placements();
        task->set_fragment(fragment.id());
        task->set_task_index(i);
        task->set_worker_id(1);
      }
    }
    return deploy;
  }
  // Runs all tasks to their ends; the rows of all results.
  std::vector<std::string> Run(const v1::DeployAttempt& deploy) {
    Listener listener(deploy.placements_size());
    auto tasks = Assemble(deploy, listener);
    EXPECT_TRUE(tasks.ok()) << tasks.status();
    if (!tasks.ok()) return {};
    for (AssembledTask& task : *tasks) task.task->Start();
    listener.done.wait();
    std::vector<std::string> rows;
    for (AssembledTask& task : *tasks) {
      if (task.result == nullptr) continue;
      while (auto batch = task.result->Pop().batch) {
        for (std::string& row : RowsOf(*batch)) rows.push_back(std::move(row));
      }
    }
    return rows;
  }

  ManualTimers timers_;
  ChannelRegistry channels_;
  PeerPool peers_;
  LocalFileSystem file_system_;
  MemoryViewStore views_;
  MemoryBudget memory_{1 << 30};
  CountingRequester requester_;
  ActorPool pool_{2};
  WorkerParts parts_{pool_, timers_, SystemClock(), channels_, peers_, file_system_, views_};
};

TEST_F(TaskAssemblerTest, RunsAChainOverAnExchange) {
  EXPECT_THAT(Run(ValuesPlan(v1::DISTRIBUTION_SINGLE, 1)), SizeIs(2));
}

TEST_F(TaskAssemblerTest, BroadcastReachesEveryTask) {
  EXPECT_THAT(Run(ValuesPlan(v1::DISTRIBUTION_BROADCAST, 3)), SizeIs(6));
}

TEST_F(TaskAssemblerTest, HashSplitsTheRows) {
  EXPECT_THAT(Run(ValuesPlan(v1::DISTRIBUTION_HASH, 4)), UnorderedElementsAre("1", "2", "3"));
}

TEST_F(TaskAssemblerTest, RefusesWhatItDoesNotKnow) {
  Listener listener(1);
  v1::DeployAttempt deploy = ValuesPlan(v1::DISTRIBUTION_SINGLE, 1);
  deploy.mutable_plan()->mutable_fragments(1)->mutable_root()->clear_limit();
  EXPECT_ERROR(Assemble(deploy, listener), SqlState::kFeatureNotSupported, "node 2");
  deploy = ValuesPlan(v1::DISTRIBUTION_SINGLE, 1);
  deploy.set_attempt(2);
  deploy.mutable_placements(1)->set_worker_id(5);
  EXPECT_ERROR(Assemble(deploy, listener), SqlState::kInternalError, "worker 5");
}

}  // namespace
}  // namespace millrace
