#pragma once

#include <cstdint>

namespace millrace {

// Allocations of this process since its start: operator new, malloc and its relatives, and those of
// Arrow's memory pool. This executable replaces the functions with ones that count; a sanitizer's
// build has its own, so there only the pool is counted.
uint64_t NumAllocations();
// False in a sanitizer's build.
bool CountsNew();

}  // namespace millrace
