#pragma once

namespace millrace {

// Prints file, line and the failed condition to stderr, then aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace millrace

// For mistakes of programmers only; never on input from a user, a disk or the network. On in all
// builds.
#define MR_CHECK(condition)                                    \
  do {                                                         \
    if (!(condition)) [[unlikely]] {                           \
      ::millrace::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                          \
  } while (false)

// As MR_CHECK, for hot paths: on in debug and sanitizer builds.
#ifdef NDEBUG
#define MR_DCHECK(condition) \
  do {                       \
  } while (false && (condition))
#else
#define MR_DCHECK(condition) MR_CHECK(condition)
#endif
