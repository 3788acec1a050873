#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/types/sql_type.h"
#include "worker/connectors/file/row_batch_builder.h"

namespace millrace {

class JsonRowParser;

// What is wrong with a row of text.
struct RowFault {
  // OK if nothing is.
  absl::Status reason;
  // Empty if the whole row is meant.
  std::string column;
};

// Where the values of a JSON object go: value i of the parser, which fields[i] names and types, to
// column outputs[i] of the batch.
struct JsonColumns {
  Schema fields;
  std::vector<size_t> outputs;

  std::vector<std::string> keys() const;
};

// Appends the values that the parser has read to their columns, NULL for what does not fit; then
// `fault` tells of the first such column, and the row is to be left out. The text of a parsed
// object is valid UTF-8.
absl::Status AppendJsonValues(const JsonRowParser& parser, const JsonColumns& columns,
                              RowBatchBuilder& batch, RowFault* fault);

}  // namespace millrace
