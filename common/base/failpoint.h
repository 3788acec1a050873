#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Named places where a test makes the process fail, wait or die. They cost nothing in release
// builds.
//
//   MR_FAILPOINT("epoch.before_ack");            // returns the configured error from the function
//   if (FailpointHeld("epoch.hold_ack")) …        // a test holds something back
//
// Configured by EnableFailpoint in tests, and by the environment of a child process:
// MILLRACE_FAILPOINTS="epoch.before_ack=error;checkpoint.after_manifest=abort;x=3*error" (n* = the
// n-th hit only).

namespace millrace {

#if defined(MILLRACE_FAILPOINTS) && MILLRACE_FAILPOINTS
absl::Status HitFailpoint(absl::string_view name);
bool FailpointHeld(absl::string_view name);
// action: "error", "abort", "hold", each with an optional "n*" in front.
void EnableFailpoint(absl::string_view name, absl::string_view action);
void DisableFailpoint(absl::string_view name);
#define MR_FAILPOINT(name) MR_RETURN_IF_ERROR(::millrace::HitFailpoint(name))
#else
inline bool FailpointHeld(absl::string_view) { return false; }
#define MR_FAILPOINT(name) \
  do {                     \
  } while (false)
#endif

}  // namespace millrace
