#pragma once

#include <cstdint>

namespace millrace {

// Allocations of this process since its start: operator new, malloc and its relatives, and those of
// Arrow's memory pool. This executable replaces the functions with ones that count; a sanitizer's
// build has its own malloc, so there only operator new and the pool are counted.
uint64_t NumAllocations();

}  // namespace millrace
