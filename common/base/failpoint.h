#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Named places where a test makes the process fail, wait or die. They cost nothing in release
// builds.
//
//   MR_FAILPOINT("epoch.before_ack");            // returns the configured error from the function
//   MR_CRASHPOINT("epoch.before_report");        // where no error can be returned: no "error"
//   MR_CRASHPOINT_AT("scan.row", first, last);   // for a number: hit if n is one of them (n*abort)
//   if (FailpointHeld("epoch.hold_ack")) …        // a test holds something back
//
// Configured by EnableFailpoint in tests, and by the environment of a child process:
// MILLRACE_FAILPOINTS="epoch.before_ack=error;checkpoint.after_manifest=abort;x=3*error" (n* = the
// n-th hit only). The steps of a checkpoint, of a sink's commit and of metadata have such places:
// docs/guides/fault_tests.md lists them.

namespace millrace {

#if defined(MILLRACE_FAILPOINTS) && MILLRACE_FAILPOINTS
absl::Status HitFailpoint(absl::string_view name);
bool FailpointHeld(absl::string_view name);
void HitFailpointAt(absl::string_view name, uint64_t first, uint64_t last);
// action: "error", "abort" (the process ends at once), "stop" (it stands as by SIGSTOP, and goes on
// with SIGCONT), "hold", each with an optional "n*" in front.
void EnableFailpoint(absl::string_view name, absl::string_view action);
void DisableFailpoint(absl::string_view name);
#define MR_FAILPOINT(name) MR_RETURN_IF_ERROR(::millrace::HitFailpoint(name))
#define MR_CRASHPOINT(name) ::millrace::HitFailpoint(name).IgnoreError()
#define MR_CRASHPOINT_AT(name, first, last) ::millrace::HitFailpointAt(name, first, last)
#else
inline bool FailpointHeld(absl::string_view) { return false; }
#define MR_FAILPOINT(name) \
  do {                     \
  } while (false)
#define MR_CRASHPOINT(name) \
  do {                      \
  } while (false)
#define MR_CRASHPOINT_AT(name, first, last) \
  do {                                      \
  } while (false)
#endif

}  // namespace millrace
