#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "arrow/type_fwd.h"
#include "common/types/sql_type.h"

namespace millrace {

// What comes back while statements run; see Client::Execute. A method that returns an error ends
// the call with it.
class StatementHandler {
 public:
  virtual ~StatementHandler() = default;
  // The statement's bytes [begin, end) in the text that was sent.
  virtual void OnStatementStart(uint32_t index, uint32_t begin_byte, uint32_t end_byte) = 0;
  // A result set begins.
  virtual absl::Status OnSchema(const Schema& schema) = 0;
  // Rows of the result set; column i has ToArrowType(schema[i].type).
  virtual absl::Status OnBatch(std::shared_ptr<arrow::RecordBatch> batch) = 0;
  virtual void OnNotice(const std::string& message, const std::string& hint) = 0;
  // The statement is done; `rows` returned or stored; `job_id` of a job that it created, or empty.
  virtual absl::Status OnStatementEnd(const std::string& tag, uint64_t rows,
                                      const std::string& job_id) = 0;
  // Only with keep_going: the statement failed and the next one follows.
  virtual absl::Status OnStatementError(const absl::Status& error) = 0;
  // A SET statement: the client keeps it and sends it with later calls. An absent setting has an
  // empty value.
  virtual void OnSettingChanged(const std::string& name, const std::string& value) = 0;
  virtual void OnProgress(uint64_t rows_read, double fraction) = 0;
};

}  // namespace millrace
