#pragma once

#include <cstdint>

namespace millrace {

// Asks the system to put a large block of memory into huge pages: tables that are read and written
// at random then miss the processor's address cache far less often, and growing them costs fewer
// page faults. Small blocks are left alone.
void AdviseHugePages(void* data, int64_t bytes);

}  // namespace millrace
