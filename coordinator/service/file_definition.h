#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/connector_spec/connector_options.h"
#include "common/storage/path_policy.h"
#include "common/types/sql_type.h"
#include "coordinator/catalog/catalog_snapshot.h"

namespace millrace {

// Checks options["path"] against the allowed folders and makes it absolute. Fine without a path.
absl::Status ResolvePath(const PathPolicy& policy, const std::string& working_directory,
                         OptionMap& options);

enum class MissingFiles : uint8_t { kAreAnError, kGiveNoColumns };

// The columns that the files behind `options` (with an absolute path) carry. Without any file:
// 58P01, or no columns.
absl::StatusOr<Schema> InferColumns(const PathPolicy& policy, const OptionMap& options,
                                    MissingFiles missing);

// FROM 'path': a source that is in no catalog.
absl::StatusOr<CatalogObjectPtr> InferFileSource(const PathPolicy& policy,
                                                 const std::string& working_directory,
                                                 const std::string& path,
                                                 const std::string& format);

}  // namespace millrace
