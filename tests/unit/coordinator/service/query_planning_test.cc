#include "coordinator/service/query_planning.h"

#include <gtest/gtest.h>

#include <string>

#include "millrace/v1/plan.pb.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

TEST(CheckPlanSizeTest, CountsTheOperatorsOfAllFragments) {
  v1::PhysicalPlan plan;
  plan.add_fragments()->mutable_root()->set_id(0);
  v1::PlanNode* root = plan.add_fragments()->mutable_root();
  while (root->inputs_size() < static_cast<int>(kPlanNodesMax) - 2) root->add_inputs();
  EXPECT_OK(CheckPlanSize(plan));
  root->mutable_inputs(0)->add_inputs();
  EXPECT_ERROR(CheckPlanSize(plan), SqlState::kStatementTooComplex, "50001 operators");
}

TEST(CheckPlanSizeTest, CountsTheBytes) {
  v1::PhysicalPlan plan;
  v1::ScanNode* scan = plan.add_fragments()->mutable_root()->mutable_scan();
  scan->set_table_name(std::string(kPlanBytesMax - 100, 'x'));
  EXPECT_OK(CheckPlanSize(plan));
  scan->set_table_name(std::string(kPlanBytesMax, 'x'));
  EXPECT_ERROR(CheckPlanSize(plan), SqlState::kStatementTooComplex, "bytes, at most 50000 and");
}

}  // namespace
}  // namespace millrace
