#include "common/config/machine.h"

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

TEST(MachineTest, ReadsTheLimitsOfControlGroupsVersion2) {
  TempFolder root;
  root.Write("memory.max", "2147483648\n");
  root.Write("cpu.max", "150000 100000\n");
  EXPECT_EQ(CgroupMemoryBytes(root.path()), 2147483648U);
  EXPECT_EQ(CgroupCores(root.path()), 2);
}

TEST(MachineTest, ReadsTheLimitsOfControlGroupsVersion1) {
  TempFolder root;
  root.Write("memory/memory.limit_in_bytes", "1048576\n");
  root.Write("cpu/cpu.cfs_quota_us", "50000\n");
  root.Write("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CgroupMemoryBytes(root.path()), 1048576U);
  EXPECT_EQ(CgroupCores(root.path()), 1);
}

TEST(MachineTest, WithoutALimitThereIsNone) {
  TempFolder root;
  EXPECT_EQ(CgroupMemoryBytes(root.path()), 0);
  EXPECT_EQ(CgroupCores(root.path()), 0);
  root.Write("memory.max", "max\n");
  root.Write("cpu.max", "max 100000\n");
  root.Write("cpu/cpu.cfs_quota_us", "-1\n");
  root.Write("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CgroupMemoryBytes(root.path()), 0);
  EXPECT_EQ(CgroupCores(root.path()), 0);
}

TEST(MachineTest, ThereIsAlwaysSomething) {
  EXPECT_GT(AvailableMemoryBytes(), 0);
  EXPECT_GE(AvailableCores(), 1);
}

}  // namespace
}  // namespace millrace
