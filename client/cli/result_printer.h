#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "arrow/type_fwd.h"
#include "common/types/sql_type.h"

namespace millrace {

// How result sets are written.
enum class OutputFormat { kTable, kCsv, kJson, kJsonl };

// "table", "csv", "json", "jsonl".
absl::StatusOr<OutputFormat> ParseOutputFormat(absl::string_view name);

// Writes result sets, one after another, to a file as rows arrive; holds no more than a page of
// rows (the table form needs widths: those of the first page); a batch without rows shows what has
// come before it. Values are in PostgreSQL's text
// form.
//   csv: a header for each result set; NULL is empty, the empty string is "".
//   json: one array of objects for each result set. jsonl: one object a line.
class ResultPrinter {
 public:
  virtual ~ResultPrinter() = default;
  virtual void Begin(const Schema& schema) = 0;
  virtual void Write(const arrow::RecordBatch& batch) = 0;
  virtual void End() = 0;
  // False after a failed write, for example to a pipe whose reader has gone.
  bool ok() const { return ok_; }

 protected:
  explicit ResultPrinter(std::FILE* out) : out_(out) {}
  // Writes and empties the buffer.
  void Flush(std::string& buffer);

 private:
  std::FILE* const out_;
  bool ok_ = true;
};

std::unique_ptr<ResultPrinter> MakeResultPrinter(OutputFormat format, std::FILE* out);

}  // namespace millrace
