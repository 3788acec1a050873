#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace millrace {

namespace v1 {
class Schema;
}  // namespace v1

// Where the rows of one statement go: to a client, or nowhere. Called from the statement's thread.
// A call may block while the reader does not keep up; after an error the statement ends.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  // Columns of a result set, once, before its batches. `ipc_message`: Arrow IPC stream message with
  // the schema.
  virtual absl::Status WriteSchema(const v1::Schema& schema, std::string ipc_message) = 0;
  // Arrow IPC stream message with one record batch.
  virtual absl::Status WriteBatch(std::string ipc_message, uint64_t rows) = 0;
  virtual absl::Status Notice(absl::string_view message, absl::string_view hint) = 0;
  // How far a running statement is; may be dropped.
  virtual void Progress(uint64_t rows_read) = 0;
  // Nobody sees the rows, so a statement may write them again from the beginning.
  virtual bool drops_rows() const = 0;
};

// For statements of background jobs: rows are counted and dropped.
class NullResultSink final : public ResultSink {
 public:
  absl::Status WriteSchema(const v1::Schema&, std::string) override { return absl::OkStatus(); }
  absl::Status WriteBatch(std::string, uint64_t) override { return absl::OkStatus(); }
  absl::Status Notice(absl::string_view, absl::string_view) override { return absl::OkStatus(); }
  void Progress(uint64_t) override {}
  bool drops_rows() const override { return true; }
};

}  // namespace millrace
