#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace {

inline constexpr size_t kSqlBytesMax = size_t{1} << 20;
// Requests of clients: the SQL and what stands around it.
inline constexpr int kRequestBytesMax = 4 << 20;
// Messages of workers: reports of tasks, positions of splits, lists of files.
inline constexpr int kControlBytesMax = 64 << 20;

// 54000 for a text that is too long.
absl::Status CheckSqlSize(const std::string& sql);

// Of a job that a client submits; empty: the server chooses `job-N`. 42622 for a name of more than
// 256 bytes; 42602 for one that could be taken for another job's id or chosen name (N, +N, job-N),
// that begins or ends with white space, or that holds control characters.
absl::Status CheckJobName(const std::string& name);

// 22023 for one of more than 256 bytes. Empty: none.
absl::Status CheckRequestId(const std::string& request_id);

// The absolute folder that a client's relative paths are resolved against; empty: the server's own.
// Whether it is allowed is asked when a path is used.
absl::StatusOr<std::string> CheckWorkingDirectory(const std::string& directory);

}  // namespace millrace
