#include "common/config/machine.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace millrace {
namespace {

constexpr char kCgroupRoot[] = "/sys/fs/cgroup";

// The first words of a file as numbers; what is no number, such as "max", ends them. 0 = absent.
struct TwoNumbers {
  int64_t first = 0;
  int64_t second = 0;
};

TwoNumbers ReadNumbers(const std::string& path) {
  TwoNumbers numbers;
  std::ifstream file(path);
  if (!(file >> numbers.first)) return {};
  if (!(file >> numbers.second)) numbers.second = 0;
  return numbers;
}

}  // namespace

uint64_t CgroupMemoryBytes(const std::string& cgroup_root) {
  int64_t bytes = ReadNumbers(cgroup_root + "/memory.max").first;
  if (bytes <= 0) bytes = ReadNumbers(cgroup_root + "/memory/memory.limit_in_bytes").first;
  return bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
}

uint32_t CgroupCores(const std::string& cgroup_root) {
  TwoNumbers quota = ReadNumbers(cgroup_root + "/cpu.max");
  if (quota.first <= 0) {
    quota.first = ReadNumbers(cgroup_root + "/cpu/cpu.cfs_quota_us").first;
    quota.second = ReadNumbers(cgroup_root + "/cpu/cpu.cfs_period_us").first;
  }
  if (quota.first <= 0 || quota.second <= 0) return 0;
  return static_cast<uint32_t>((quota.first + quota.second - 1) / quota.second);
}

uint64_t AvailableMemoryBytes() {
  const auto pages = static_cast<uint64_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
  const auto page_bytes = static_cast<uint64_t>(std::max(0L, sysconf(_SC_PAGESIZE)));
  const uint64_t machine = pages * page_bytes;
  const uint64_t limit = CgroupMemoryBytes(kCgroupRoot);
  return limit == 0 ? machine : std::min(machine, limit);
}

uint32_t AvailableCores() {
  const uint32_t machine = std::max(1U, std::thread::hardware_concurrency());
  const uint32_t limit = CgroupCores(kCgroupRoot);
  return limit == 0 ? machine : std::min(machine, limit);
}

}  // namespace millrace
