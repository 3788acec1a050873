#pragma once

namespace millrace {

// Lets the process have as many open files and connections as the system permits it (RLIMIT_NOFILE,
// the soft limit of which is often 1,024). False, and errno, if the system refuses.
bool RaiseFileLimit();

}  // namespace millrace
