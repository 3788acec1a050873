#pragma once

#include <cstdint>
#include <string>

namespace millrace {

// What this process may use of its machine: the machine's own resources, or what its container was
// given of them.

// Bytes of memory.
uint64_t AvailableMemoryBytes();
// At least 1; a part of a core counts as one.
uint32_t AvailableCores();

// The same from `cgroup_root`, the mount point of the control groups (both versions); pure, for
// tests. 0 = no limit is set there.
uint64_t CgroupMemoryBytes(const std::string& cgroup_root);
uint32_t CgroupCores(const std::string& cgroup_root);

}  // namespace millrace
