#include "coordinator/scheduler/meeting_scans.h"

#include <map>
#include <set>

#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

using Meeting = std::map<uint32_t, std::set<uint32_t>>;

v1::PlanNode* AddFragment(v1::PhysicalPlan* plan) { return plan->add_fragments()->mutable_root(); }

v1::ScanNode* AddScan(uint32_t scan_id, v1::PlanNode* parent) {
  v1::ScanNode* scan = parent->add_inputs()->mutable_scan();
  scan->set_scan_id(scan_id);
  scan->mutable_watermark();
  return scan;
}

void AddExchange(uint32_t producer, v1::PlanNode* parent) {
  parent->add_inputs()->mutable_exchange()->set_producer_fragment(producer);
}

TEST(MeetingScansTest, ScansOfOneFragmentMeet) {
  v1::PhysicalPlan plan;
  v1::PlanNode* root = AddFragment(&plan);
  for (const uint32_t scan_id : {0, 1, 2}) AddScan(scan_id, root);
  EXPECT_EQ(MeetingScans(plan), (Meeting{{0, {1, 2}}, {1, {0, 2}}, {2, {0, 1}}}));
}

TEST(MeetingScansTest, ScansMeetBehindExchanges) {
  v1::PhysicalPlan plan;
  AddScan(4, AddFragment(&plan));
  AddExchange(0, AddFragment(&plan));
  v1::PlanNode* join = AddFragment(&plan);
  AddExchange(1, join);
  AddScan(5, join);
  AddExchange(2, AddFragment(&plan));
  EXPECT_EQ(MeetingScans(plan), (Meeting{{4, {5}}, {5, {4}}}));
}

TEST(MeetingScansTest, ViewsThatShareNoRowsAreApart) {
  v1::PhysicalPlan plan;
  AddScan(0, AddFragment(&plan));
  AddScan(1, AddFragment(&plan));
  AddExchange(0, AddFragment(&plan));
  AddExchange(1, AddFragment(&plan));
  EXPECT_EQ(MeetingScans(plan), Meeting());
}

TEST(MeetingScansTest, ReadersOfASharedScanDoNotMeetThroughIt) {
  v1::PhysicalPlan plan;
  AddScan(0, AddFragment(&plan));
  for (const uint32_t scan_id : {1, 2}) {
    v1::PlanNode* join = AddFragment(&plan);
    AddExchange(0, join);
    AddScan(scan_id, join);
  }
  EXPECT_EQ(MeetingScans(plan), (Meeting{{0, {1, 2}}, {1, {0}}, {2, {0}}}));
}

TEST(MeetingScansTest, ScansWithoutEventTimeMeetNobody) {
  v1::PhysicalPlan plan;
  v1::PlanNode* root = AddFragment(&plan);
  AddScan(0, root);
  AddScan(1, root)->clear_watermark();
  EXPECT_EQ(MeetingScans(plan), Meeting());
}

}  // namespace
}  // namespace millrace
