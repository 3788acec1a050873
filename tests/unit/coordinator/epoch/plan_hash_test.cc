#include "coordinator/epoch/plan_hash.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

v1::PhysicalPlan PlanWithOptions(const std::vector<int>& order) {
  v1::PhysicalPlan plan;
  v1::ScanNode* scan = plan.add_fragments()->mutable_root()->mutable_scan();
  for (const int i : order) {
    (*scan->mutable_options())[absl::StrCat("option", i)] = absl::StrCat(i);
  }
  return plan;
}

TEST(PlanHashTest, EqualPlansHaveEqualHashesInWhateverOrderTheirOptionsCame) {
  const std::string hash = PlanHash(PlanWithOptions({1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(hash.size(), 8);
  EXPECT_EQ(PlanHash(PlanWithOptions({8, 3, 1, 7, 2, 6, 5, 4})), hash);
  v1::PhysicalPlan read;
  ASSERT_TRUE(read.ParseFromString(PlanWithOptions({5, 4, 3, 2, 1, 6, 7, 8}).SerializeAsString()));
  EXPECT_EQ(PlanHash(read), hash);
}

TEST(PlanHashTest, OtherPlansHaveOtherHashes) {
  v1::PhysicalPlan plan = PlanWithOptions({1});
  const std::string hash = PlanHash(plan);
  plan.mutable_fragments(0)->mutable_root()->set_id(1);
  EXPECT_NE(PlanHash(plan), hash);
}

}  // namespace
}  // namespace millrace
