#pragma once

namespace millrace {

// Version of this build. Processes of a cluster must agree on it.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace millrace
