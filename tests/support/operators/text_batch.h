#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/types/batch.h"
#include "common/types/sql_type.h"

namespace millrace {

// Schemas for tests: "int8 k, text name, numeric(2) price". Types are PostgreSQL's short names;
// numeric(s) has scale s.
Schema TextSchema(std::string_view text);

// A batch from text: rows separated by "|", values by blanks, in the order of the schema. `null` is
// NULL, text may stand in 'single quotes'; dates are days, times and timestamps microseconds,
// intervals months:days:micros; booleans t and f. Rows may begin with a weight: "+", "-", "+3",
// "-2"; if none does, the batch has no weights.
//   TextBatch("+ 1 a | - 2 'b c' | +2 null d", TextSchema("int8 k, text v"))
Batch TextBatch(std::string_view text, const Schema& schema);
// The same with text columns as dictionaries.
Batch TextBatchWithDictionaries(std::string_view text, const Schema& schema);

// Rows as text, in that order; weights are shown only where the batch has them ("+1", "-1").
std::vector<std::string> RowsOf(const Batch& batch);
std::vector<std::string> RowsOf(const std::vector<Batch>& batches);
// The rows separated by " | ".
std::string TextOf(const Batch& batch);
// Rows in an order of their own: for results whose order does not matter.
std::vector<std::string> SortedRowsOf(const std::vector<Batch>& batches);
// What a changing relation amounts to: the weight of each row, without those that cancel out.
std::map<std::string, int64_t> ConsolidatedRows(const std::vector<Batch>& batches);

}  // namespace millrace
