#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/logical_plan/bound_statement.h"

namespace millrace {

// What a statement needs beside the catalog.
struct BindContext {
  // FROM 'path': a source for the file with its columns, connector "file" and options path and
  // format. `format` is empty where the statement does not say one. Absent: FROM 'path' is refused
  // (0A000).
  std::function<absl::StatusOr<CatalogObjectPtr>(const std::string& path,
                                                 const std::string& format)>
      infer_file;
  // COPY FROM 'path': the absolute path, if statements may read it. Absent: paths stay as written.
  std::function<absl::StatusOr<std::string>(const std::string& path)> resolve_path;
  // now() and its like while constants are folded: microseconds since 1970 UTC.
  int64_t statement_time_micros = 0;
};

// Parses one statement (a semicolon may follow) and binds it: names resolved against the snapshot,
// types checked, every cast made explicit. Errors carry PostgreSQL's code, the 1-based character in
// `sql`, and a hint where there is one. A statement of any form gives a result or an error; it
// never ends the process. Thread-safe.
absl::StatusOr<BoundStatement> BindStatement(absl::string_view sql, const CatalogSnapshot& catalog,
                                             const BindContext& context);

// The plan of a view's stored query (v1::CatalogObject.query), with the columns' names as the
// object has them.
absl::StatusOr<LogicalPtr> BindStoredQuery(const v1::CatalogObject& view,
                                           const CatalogSnapshot& catalog,
                                           const BindContext& context);

}  // namespace millrace
