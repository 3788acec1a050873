#include "coordinator/planner/explain.h"

#include "coordinator/planner/planner.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/status.pb.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

v1::PhysicalPlan CountPlan() {
  PlanOptions options;
  options.parallelism = 2;
  const LogicalPtr files = Scan(SourceOf("files", {{"a", Int()}}));
  return PlanQuery(NewAggregate(files, {}, {CountStar()}), options).value();
}

v1::TaskProgress Progress(uint32_t fragment, uint32_t task, uint32_t worker) {
  v1::TaskProgress progress;
  progress.set_fragment(fragment);
  progress.set_task_index(task);
  progress.set_worker_id(worker);
  progress.set_rows_in(100);
  progress.set_rows_out(1);
  progress.set_busy_micros(1500);
  return progress;
}

uint32_t ScanNodeId(const v1::PhysicalPlan& plan) {
  return plan.fragments(0).root().inputs(0).id();
}

TEST(ExplainTest, ShowsCountersOfOperatorsTasksAndExchanges) {
  const v1::PhysicalPlan plan = CountPlan();
  std::vector<v1::TaskProgress> tasks = {Progress(0, 0, 1), Progress(0, 1, 2)};
  for (v1::TaskProgress& task : tasks) {
    v1::OperatorProgress* progress = task.add_operators();
    progress->set_node_id(ScanNodeId(plan));
    progress->set_rows_in(110);
    progress->set_rows_out(100);
    progress->set_busy_micros(1000);
    v1::ExchangeProgress* sent = task.add_exchanges();
    sent->set_exchange_id(plan.fragments(0).outputs(0).exchange_id());
    sent->set_rows_out(1);
    sent->set_busy_micros(100);
    (task.worker_id() == 1) ? sent->set_local_bytes_out(8) : sent->set_remote_bytes_out(16);
  }
  tasks.push_back(Progress(1, 0, 1));
  v1::ExchangeProgress* received = tasks.back().add_exchanges();
  received->set_exchange_id(plan.fragments(0).outputs(0).exchange_id());
  received->set_rows_in(2);
  received->set_local_bytes_in(8);
  received->set_remote_bytes_in(16);
  const std::string text = ExplainText(plan, tasks);
  EXPECT_NE(text.find("Scan [files (file); columns: a] (in 220, out 200, 2.0 ms; by task in/out "
                      "110/100, 110/100)\n"
                      "  task 0 on worker 1: in 100, out 1, busy 1.5 ms\n"
                      "  task 1 on worker 2: in 100, out 1, busy 1.5 ms\n"
                      "  exchange to fragment 1, worker 1: sent 1 row, 8 bytes local, 0 bytes "
                      "remote; received 2 rows, 8 bytes local, 16 bytes remote; 0.1 ms\n"
                      "  exchange to fragment 1, worker 2: sent 1 row, 0 bytes local, 16 bytes "
                      "remote; received 0 rows, 0 bytes local, 0 bytes remote; 0.1 ms\n"),
            std::string::npos)
      << text;
}

TEST(ExplainTest, TitlesGoFromTheRootDown) {
  const v1::PhysicalPlan plan = CountPlan();
  EXPECT_EQ(FragmentTitle(plan.fragments(0)), "HashAggregate <- Scan");
  EXPECT_EQ(FragmentTitle(plan.fragments(1)), "HashAggregate <- Exchange");
}

TEST(ExplainTest, JsonHasTheSameTree) {
  const v1::PhysicalPlan plan = CountPlan();
  const std::string json = ExplainJson(plan, {Progress(1, 0, 1)});
  EXPECT_EQ(json.find("{\"streaming\":false,\"num_shards\":0,\"fragments\":[{\"id\":0,"), 0u);
  EXPECT_NE(json.find("\"op\":\"Scan\",\"details\":[\"files (file)\",\"columns: a\"]"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find("\"tasks\":[{\"task\":0,\"worker\":1,\"rows_in\":100"), std::string::npos);
}

TEST(ExplainTest, JsonEscapesText) {
  const LogicalPtr s = Scan(SourceOf("s", {{"a", Text()}}));
  const LogicalPtr query = NewFilter(s, Eq(Col(s, "a"), Lit("\"\\\n")));
  const std::string json = ExplainJson(PlanQuery(query, PlanOptions()).value());
  EXPECT_NE(json.find("\\\"\\\\\\u000a"), std::string::npos) << json;
}

}  // namespace
}  // namespace millrace
